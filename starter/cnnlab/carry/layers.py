"""The course's layers by PyTorch, to go on with where an answer is missing.

Each has the name, the arguments and the results of the question that it stands in for: NumPy arrays
go in, NumPy arrays come out. How a layer is computed is torch's affair, and the gradients are
autograd's, so nothing here tells how to write one in NumPy. What a forward pass hands to its
backward pass is a ``Cache``, which only the backward pass of the same layer can read.

torch is imported when a layer is first called.
"""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

LAYERS: dict[str, Callable] = {}
SEEDS = 2**31


class Cache:
    """What a forward pass keeps for its backward pass. There is nothing in it for you to read."""

    __slots__ = ("_dtype", "_inputs", "_out", "layer")

    def __init__(self, layer: str, inputs: tuple, out: Any, dtype: np.dtype):
        self.layer, self._inputs, self._out, self._dtype = layer, inputs, out, dtype

    def __repr__(self) -> str:
        return f"<the cache of {self.layer}, for its backward pass>"


def is_there() -> bool:
    """Whether torch can be imported here."""
    try:
        import torch  # noqa: F401
    except (ImportError, OSError):  # OSError: installed, but a library of its own is missing
        return False
    return True


# -- from NumPy to torch and back -----------------------------------------------------------------


def _float_type(*arrays: Any) -> np.dtype:
    """What a layer computes in: its inputs' own precision, and float64 for whole numbers."""
    found = np.result_type(*map(np.asarray, arrays))
    if found in (np.float32, np.float64):
        return found
    return np.dtype(np.float32 if found == np.float16 else np.float64)


def _tensor(array: Any, dtype: Any):
    import torch

    # torch takes neither negative strides nor, without a warning, what is read-only
    return torch.from_numpy(np.require(array, dtype, ["C", "W"]))


@contextlib.contextmanager
def _in_words(layer: str, arrays: tuple) -> Iterator[None]:
    """What torch does not like, with the shapes that it got."""
    import torch

    try:
        with torch.enable_grad():
            yield
    except (RuntimeError, IndexError) as error:
        shapes = ", ".join(str(np.shape(array)) for array in arrays)
        why = (str(error).splitlines() or ["it failed"])[0]
        if "allocate memory" in why:
            raise MemoryError(f"the result of {layer} for shapes {shapes}") from None
        raise ValueError(f"{layer} does not work for shapes {shapes}: {why}") from None


def _forward(layer: str, compute: Callable, *arrays: Any) -> tuple:
    """(out, cache) of ``compute``, which takes tensors and returns one."""
    dtype = _float_type(*arrays)
    with _in_words(layer, arrays):
        inputs = tuple(_tensor(array, dtype).requires_grad_() for array in arrays)
        out = compute(*inputs)
    result = out.detach().numpy()
    # where a layer hands its input on, writing to out must not change x
    result = result.copy() if any(np.may_share_memory(result, a) for a in arrays) else result
    return result, Cache(layer, inputs, out, dtype)


def _backward(layer: str, dout: Any, cache: Any) -> tuple:
    """The gradients of all arrays that the forward pass took."""
    if not isinstance(cache, Cache) or cache.layer != layer:
        what = repr(cache) if isinstance(cache, Cache) else f"a {type(cache).__name__}"
        raise TypeError(
            f"this backward pass of {layer} reads the cache of the forward pass that was carried "
            f"with it, and got {what}. Carry both in one line: then they fit."
        )
    import torch

    if np.shape(dout) != tuple(cache._out.shape):
        raise ValueError(
            f"dout has shape {np.shape(dout)}. It is the gradient of out, and has out's shape: "
            f"{tuple(cache._out.shape)}."
        )
    with _in_words(layer, (dout,)):
        gradients = torch.autograd.grad(
            cache._out,
            cache._inputs,
            _tensor(dout, cache._dtype),
            retain_graph=True,  # a backward pass may be called twice with one cache
            materialize_grads=True,
        )
    dtype = np.result_type(cache._dtype, _float_type(dout))
    return tuple(_free(gradient.numpy().astype(dtype, copy=False), dout) for gradient in gradients)


def _free(array: np.ndarray, other: Any) -> np.ndarray:
    return array.copy() if np.may_share_memory(array, other) else array


def _layer(*names: str) -> Callable[[Callable], Callable]:
    """Enter a function under each of these names."""

    def register(f: Callable) -> Callable:
        for name in names:
            LAYERS[name] = types.FunctionType(f.__code__, f.__globals__, name, f.__defaults__)
            LAYERS[name].__doc__, LAYERS[name].__qualname__ = f.__doc__, name
        return f

    return register


# -- convolution and pooling ----------------------------------------------------------------------


@_layer("conv_forward_naive", "conv_forward_fast")
def _conv_forward(x, w, b, conv_param):
    """Convolution, by torch: x (N, C, H, W), w (F, C, HH, WW), b (F,) -> (out, cache)."""
    from torch.nn.functional import conv2d

    stride, pad = conv_param["stride"], conv_param["pad"]
    return _forward("convolution", lambda *xwb: conv2d(*xwb, stride, pad), x, w, b)


@_layer("conv_backward_naive", "conv_backward_fast")
def _conv_backward(dout, cache):
    """The gradients of a convolution, by torch: dout like out -> (dx, dw, db)."""
    return _backward("convolution", dout, cache)


@_layer("conv_forward_general")
def _conv_forward_general(x, w, b, conv_param):
    """Convolution with groups and dilation, by torch: as conv_forward_naive -> (out, cache)."""
    from torch.nn.functional import conv2d

    named = {"padding": "pad", **{name: name for name in ("stride", "dilation", "groups")}}
    given = {theirs: conv_param[ours] for theirs, ours in named.items()}
    return _forward("convolution", lambda *xwb: conv2d(*xwb, **given), x, w, b)


def _window(pool_param: dict) -> tuple[int, int]:
    return pool_param["pool_height"], pool_param["pool_width"]


@_layer("max_pool_forward_naive", "max_pool_forward_fast")
def _max_pool_forward(x, pool_param):
    """Max pooling, by torch: x (N, C, H, W) -> (out, cache)."""
    from torch.nn.functional import max_pool2d

    window, step = _window(pool_param), pool_param["stride"]
    return _forward("max pooling", lambda x: max_pool2d(x, window, step), x)


@_layer("max_pool_backward_naive", "max_pool_backward_fast")
def _max_pool_backward(dout, cache):
    """The gradient of max pooling, by torch: dout like out -> dx. Of equals, the first wins."""
    return _backward("max pooling", dout, cache)[0]


@_layer("avg_pool_forward_naive", "avg_pool_forward_fast")
def _avg_pool_forward(x, pool_param):
    """Average pooling, by torch: x (N, C, H, W) -> (out, cache)."""
    from torch.nn.functional import avg_pool2d

    window, step = _window(pool_param), pool_param["stride"]
    return _forward("average pooling", lambda x: avg_pool2d(x, window, step), x)


@_layer("avg_pool_backward_naive", "avg_pool_backward_fast")
def _avg_pool_backward(dout, cache):
    """The gradient of average pooling, by torch: dout like out -> dx."""
    return _backward("average pooling", dout, cache)[0]


@_layer("global_avg_pool_forward")
def _global_avg_pool_forward(x):
    """The mean of each channel of each image, by torch: x (N, C, H, W) -> (out (N, C), cache)."""
    from torch.nn.functional import adaptive_avg_pool2d

    def pool(x):
        return adaptive_avg_pool2d(x, 1).flatten(1)

    return _forward("global average pooling", pool, x)


@_layer("global_avg_pool_backward")
def _global_avg_pool_backward(dout, cache):
    """The gradient of global average pooling, by torch: dout (N, C) -> dx (N, C, H, W)."""
    return _backward("global average pooling", dout, cache)[0]


# -- layers of a network --------------------------------------------------------------------------


@_layer("affine_forward")
def _affine_forward(x, w, b):
    """A fully connected layer, by torch: x (N, d1, …), w (D, M), b (M,) -> (out (N, M), cache)."""
    from torch.nn.functional import linear

    return _forward("affine layer", lambda x, w, b: linear(x.flatten(1), w.T, b), x, w, b)


@_layer("affine_backward")
def _affine_backward(dout, cache):
    """The gradients of a fully connected layer, by torch: dout (N, M) -> (dx, dw, db)."""
    return _backward("affine layer", dout, cache)


@_layer("relu_forward")
def _relu_forward(x):
    """The rectifier, by torch: x of any shape -> (out, cache)."""
    from torch.nn.functional import relu

    return _forward("relu", relu, x)


@_layer("relu_backward")
def _relu_backward(dout, cache):
    """The gradient of the rectifier, by torch: dout like out -> dx."""
    return _backward("relu", dout, cache)[0]


@_layer("dropout_forward")
def _dropout_forward(x, dropout_param):
    """Inverted dropout, by torch: x of any shape -> (out, cache).

    dropout_param: 'p', how likely a number is *kept*; 'mode', 'train' or 'test'; perhaps 'seed'.
    """
    import torch

    param = settled(dropout_param)
    is_training = {"train": True, "test": False}[param["mode"]]

    def drop(x):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(param["seed"])
            return torch.nn.functional.dropout(x, 1 - param["p"], is_training)

    return _forward("dropout", drop, x)


@_layer("dropout_backward")
def _dropout_backward(dout, cache):
    """The gradient of dropout, by torch: dout like out -> dx."""
    return _backward("dropout", dout, cache)[0]


def settled(dropout_param: dict) -> dict:
    """With a seed, drawn where none is given: the same call then drops the same numbers."""
    return {"seed": int(np.random.randint(SEEDS)), **dropout_param}


# -- losses and classifiers -----------------------------------------------------------------------


def _loss(layer: str, compute: Callable, x: Any, y: Any) -> tuple:
    right = _tensor(y, np.int64)
    loss, cache = _forward(layer, lambda scores: compute(scores, right), x)
    return loss[()], _backward(layer, np.ones((), loss.dtype), cache)[0]


@_layer("softmax_loss")
def _softmax_loss(x, y):
    """The softmax loss, by torch: scores x (N, C), right classes y (N,) -> (loss, dx)."""
    from torch.nn.functional import cross_entropy

    return _loss("softmax loss", cross_entropy, x, y)


@_layer("svm_loss")
def _svm_loss(x, y):
    """The multiclass SVM loss, by torch: scores x (N, C), right classes y (N,) -> (loss, dx)."""
    from torch.nn.functional import multi_margin_loss

    def loss(scores, right):  # torch takes the mean over the classes, where we take the sum
        return multi_margin_loss(scores, right) * scores.shape[1]

    return _loss("SVM loss", loss, x, y)


@_layer("linear_backward")
def _linear_backward(dscores, X, W, reg):
    """A linear classifier's gradients, by torch: dscores (N, C), X (N, D), W (D, C) -> (dW, db)."""
    from torch.nn.functional import linear

    no_bias = np.zeros(np.shape(W)[1:])
    _, cache = _forward("linear classifier", lambda X, W, b: linear(X, W.T, b), X, W, no_bias)
    _, dW, db = _backward("linear classifier", dscores, cache)
    return dW + _penalty(W, reg), db


@_layer("two_layer_forward")
def _two_layer_forward(X, params):
    """The two-layer network, by torch: X (N, D), params W1, b1, W2, b2 -> (scores, cache)."""
    from torch.nn.functional import linear, relu

    def scores(X, W1, b1, W2, b2):
        return linear(relu(linear(X, W1.T, b1)), W2.T, b2)

    return _forward("two-layer network", scores, X, *(params[name] for name in _PARAMS))


_PARAMS = ("W1", "b1", "W2", "b2")


@_layer("two_layer_backward")
def _two_layer_backward(dscores, cache, reg=0.0):
    """The two-layer network's gradients, by torch: dscores (N, C) -> a dict like params."""
    _, *gradients = _backward("two-layer network", dscores, cache)
    grads = dict(zip(_PARAMS, gradients, strict=True))
    for name, weights in zip(_PARAMS, cache._inputs[1:], strict=True):
        if name.startswith("W"):
            grads[name] = grads[name] + _penalty(weights.detach().numpy(), reg)
    return grads


def _penalty(weights: Any, reg: float) -> np.ndarray:
    """The gradient of reg / 2 times the sum of squares, by torch."""
    dtype = _float_type(weights)

    def penalty(weights):
        return reg / 2 * weights.square().sum()

    _, cache = _forward("penalty", penalty, weights)
    return _backward("penalty", np.ones((), dtype), cache)[0]
