"""What a PyTorch module stores and computes."""

import torch
import torch.nn as nn


def module_cost(model, input_shape):
    """Count the parameters of any model, and the multiply-adds that one image takes.

    Args:
        model: an nn.Module, on any device
        input_shape: (C, H, W) of an image

    Returns:
        (parameters, multiply_adds)
        parameters: int, the numbers that the model learns, of all its layers: those of batch
            normalisation too (but not its running averages, which are not learned). What two layers
            share is counted once.
        multiply_adds: int, for one image: the multiplications of all nn.Conv2d and nn.Linear. Each
            goes with one addition, and the pair counts as one. Biases, normalisation and pooling
            are not counted; products with the zeros of the padding are. A layer that forward calls
            twice works twice.

    An nn.Conv2d may have any stride, padding, dilation and groups, and a filter that is not square.
    With groups, one output looks at C / groups channels only.

    The model is as it was: no hook stays, also if forward fails; model.training is the same, and so
    are the running averages of batch normalisation.

    What a layer computes depends on the size of its output, which you do not have to work out: send
    one image of zeros through the model, in eval mode and without gradients, and let each layer
    tell, by layer.register_forward_hook, what it put out. Images of zeros cost what others do.
    """
    ### BEGIN SOLUTION
    multiply_adds = 0

    def count(layer, inputs, output):
        nonlocal multiply_adds
        # of both kinds, weight[0] is what goes into one output
        multiply_adds += output.numel() * layer.weight[0].numel()

    parameters = sum(parameter.numel() for parameter in model.parameters())
    like = next(model.parameters(), torch.zeros(0))
    image = torch.zeros(1, *input_shape, dtype=like.dtype, device=like.device)
    layers = [layer for layer in model.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    was_training = model.training
    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        model.eval()
        with torch.no_grad():
            model(image)
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return parameters, multiply_adds
    ### END SOLUTION
