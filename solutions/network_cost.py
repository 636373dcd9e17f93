"""What a whole ConvNet puts out, stores and computes, layer by layer."""

import numpy as np  # noqa: F401  (every solution cell has np)


def network_cost(layers, input_dim=(3, 32, 32), num_classes=10):
    """Make a ConvNet's table: of each layer the output's shape, the parameters, the multiply-adds.

    Args:
        layers: a list of dicts, as conv, max_pool, avg_pool and fc of cnnlab.architectures make
            them:
            {'kind': 'conv', 'filters', 'kernel', 'stride', 'pad', 'groups'}: with groups, each
                filter sees only C / groups of the C channels
            {'kind': 'max_pool' or 'avg_pool', 'pool_height', 'pool_width', 'stride'}
            {'kind': 'fc', 'outputs'}
        input_dim: (C, H, W) of an image
        num_classes: after the list comes one more affine layer, with so many outputs

    Returns:
        rows: a list of (kind, shape, parameters, multiply_adds), one for each layer and one, of
            kind 'fc', for the scores
            kind: the layer's
            shape: a tuple of ints, (channels, height, width) after conv and pooling, (outputs,)
                after fc
            parameters: int, all weights and biases
            multiply_adds: int, for one image: a multiplication and its addition count as one.
                Biases and pooling are not counted, products with the zeros of the padding are.

    You may take it that the windows fit evenly, and that no convolution or pooling comes after an
    fc. layers is left as it was.

    AlexNet: Krizhevsky et al. count 60 million parameters.
    """
    ### BEGIN SOLUTION
    rows, shape = [], tuple(input_dim)
    for layer in [*layers, {"kind": "fc", "outputs": num_classes}]:
        kind, parameters, multiply_adds = layer["kind"], 0, 0
        if kind == "fc":
            inputs = 1
            for length in shape:
                inputs *= length
            shape = (layer["outputs"],)
            multiply_adds = inputs * layer["outputs"]
            parameters = multiply_adds + layer["outputs"]
        elif kind == "conv":
            C, H, W = shape
            F, kernel, stride, pad = (layer[n] for n in ("filters", "kernel", "stride", "pad"))
            H, W = 1 + (H + 2 * pad - kernel) // stride, 1 + (W + 2 * pad - kernel) // stride
            shape = (F, H, W)
            weights = F * (C // layer["groups"]) * kernel * kernel
            parameters, multiply_adds = weights + F, weights * H * W
        else:
            C, H, W = shape
            H = 1 + (H - layer["pool_height"]) // layer["stride"]
            W = 1 + (W - layer["pool_width"]) // layer["stride"]
            shape = (C, H, W)
        rows.append((kind, shape, parameters, multiply_adds))
    return rows
    ### END SOLUTION
