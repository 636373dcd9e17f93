"""What the tests of layers share: gradients by torch, and inputs that must stay as they were."""

from contextlib import contextmanager

import numpy as np
import torch


def torch_gradients(f, arrays, dout):
    """f's output and its gradients by torch's autograd, all as arrays in float64.

    Args:
        f: takes tensors, returns one. arrays: what becomes the tensors. dout: the gradient that
        arrives at the output.
    """
    leaves = [torch.tensor(np.float64(array), requires_grad=True) for array in arrays]
    out = f(*leaves)
    out.backward(torch.tensor(np.float64(dout)))
    return out.detach().numpy(), [leaf.grad.numpy() for leaf in leaves]


@contextmanager
def untouched(*arrays):
    """Within, writing to these arrays is an error."""
    for array in arrays:
        array.flags.writeable = False
    yield
    for array in arrays:
        array.flags.writeable = True
