"""What hidden tests of PyTorch's side share: tensors there and back, and the weights of modules.

A tensor travels as a ``wire.Tensor``, and a module stays in the kernel, where tests give it weights
by the names in its ``state_dict()``. Expected numbers come from the NumPy nets of earlier
assignments, or from the references.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from autograder.compare import assert_close, describe, tensor
from autograder.errors import WrongAnswer
from autograder.hidden import nets
from autograder.hidden.inputs import assert_unchanged
from autograder.student import check_state
from autograder.wire import Tensor
from solutions.three_layer_convnet import ThreeLayerConvNet

CLASSES = 5
SQUARE = {"input_dim": (3, 6, 6), "num_filters": 4, "filter_size": 3, "hidden_dim": 7}
ODD = {"input_dim": (2, 4, 8), "num_filters": 3, "filter_size": 5, "hidden_dim": 6}
POINTS = {"input_dim": (3, 8, 2), "num_filters": 6, "filter_size": 1, "hidden_dim": 4}
COUNTS = "num_batches_tracked"  # of a batch normalisation: no weight
LAYERS = ("conv", "fc1", "fc2")  # whose weights are W1, W2, W3


def draw_net(rng: np.random.Generator, sizes: dict, dtype: str = "float64", N: int = 6):
    """The NumPy net with random weights; images and classes."""
    right = ThreeLayerConvNet(**sizes, num_classes=CLASSES, dtype=dtype)
    drawn = nets.random_params(rng, right.params)
    right.params = {name: array.astype(dtype) for name, array in drawn.items()}
    X, y = nets.draw_batch(rng, N, sizes["input_dim"], CLASSES)
    return right, X.astype(dtype), y


def tensors(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: Tensor(array) for name, array in arrays.items()}


def put(student: Any, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Tensors that are left in the kernel, so that a test can look at them afterwards."""
    return {name: student.put(Tensor(array)) for name, array in arrays.items()}


def assert_left_alone(student: Any, held: dict[str, Any], before: dict, what: str = "{}") -> None:
    for name, handle in held.items():
        after = student.get(handle)
        assert_unchanged(tensor(after, name), before[name], what.format(name))


def assert_tensor(came: Any, expected: np.ndarray, name: str, **tolerance: float) -> None:
    """A tensor, not an array, of these numbers."""
    assert_close(tensor(came, name), expected, name=name, **tolerance)


def assert_tensor_dtype(came: Any, dtype: str, name: str) -> None:
    found = tensor(came, name).dtype
    if found != np.dtype(dtype):
        raise WrongAnswer(
            f"{name} has the dtype {found} where {dtype} came in. Take the dtype of what comes in."
        )


def assert_has_graph(came: Any, name: str) -> None:
    """A result that gradients can be asked of."""
    if not came.grad:
        raise cut(name)


def cut(name: str) -> WrongAnswer:
    return WrongAnswer(
        f"{name} is cut: backward() cannot come back on it. No detach(), no .data, no .numpy() "
        "and no torch.no_grad() here."
    )


def assert_number(came: Any, expected: float, name: str, **tolerance: float) -> None:
    """A plain number, or a tensor of no axes that does not drag its graph along."""
    assert_close(came, expected, name=name, **tolerance)
    if isinstance(came, Tensor) and came.grad:
        raise WrongAnswer(
            f"{name} still holds on to its graph, and so to all the memory of the forward pass. "
            f"Cut it off: {name}.detach(), or {name}.item()."
        )


# -- modules ---------------------------------------------------------------------------------------


def names_and_shapes_are(student: Any, model: Any, expected: dict[str, np.ndarray]) -> None:
    check_state(student.state(model), expected)


def states_are(came: dict, expected: dict, what: str = "{}", **tolerance: float) -> None:
    has_all(came, expected, "the model")
    for name, right in expected.items():
        assert_close(came[name], right, name=what.format(name), **tolerance)


def has_all(came: dict, expected: dict, what: str) -> None:
    """What was there a moment ago may be gone: a student's class can override anything."""
    missing = sorted(expected.keys() - came.keys())
    if missing:
        raise WrongAnswer(f"{what} has no {missing[0]}: is a method of Module overridden?")


def gradients_of(student: Any, model: Any, X: np.ndarray, y: np.ndarray, expected: dict) -> dict:
    """The gradients of these weights of a module in the kernel."""
    probes = student.library("cnnlab.checks.probes")
    came = nets.plain_dict(student, probes.gradients(model, Tensor(X), Tensor(y)), "gradients")
    has_all(came, expected, "the model, asked for gradients,")
    return came


def state_of_convnet(params: dict[str, np.ndarray], layers=LAYERS) -> dict[str, np.ndarray]:
    """A ThreeLayerConvNet's weights as a module has them: nn.Linear stores (out, in)."""
    state = {}
    for number, layer in enumerate(layers, start=1):
        w = params[f"W{number}"]
        state[f"{layer}.weight"] = w if w.ndim == 4 else np.ascontiguousarray(w.T)
        state[f"{layer}.bias"] = params[f"b{number}"]
    return state


def random_state(rng: np.random.Generator, shapes: dict[str, Any]) -> dict[str, np.ndarray]:
    """Numbers of a module's shapes, in float64; variances are positive, scales are near 1."""
    state = {}
    for name, like in shapes.items():
        if COUNTS in name:
            continue
        shape = tuple(like.shape)
        if name.endswith("running_var"):
            state[name] = rng.uniform(0.5, 2, shape)
        elif len(shape) > 1:
            state[name] = rng.standard_normal(shape) * 1.5 / np.sqrt(np.prod(shape[1:]))
        else:
            state[name] = rng.standard_normal(shape) / 2 + name.endswith("weight")
    return state


class Twins:
    """A model in the kernel and one here, of the same layers and weights, in float64.

    ``build(nn)`` makes it from ``torch.nn``, there or here.
    """

    def __init__(self, student: Any, rng: np.random.Generator, build: Any):
        self.student = student
        self.right = build(torch.nn).double()
        self.state = random_state(rng, self.right.state_dict())
        self.right.load_state_dict(
            {name: torch.from_numpy(array.copy()) for name, array in self.state.items()},
            strict=False,
        )
        self.model = build(student.library("torch.nn"))
        self.model.double()
        student.set_state(self.model, self.state)

    def optimizers(self, **options: float) -> tuple[Any, torch.optim.Optimizer]:
        """One for each: gradient descent."""
        there = self.student.library("torch.optim").SGD(self.model.parameters(), **options)
        return there, torch.optim.SGD(self.right.parameters(), **options)

    def assert_equal(self, what: str) -> None:
        """Whatever was done with both left the same weights and running averages in both."""
        right = {n: t.numpy() for n, t in self.right.state_dict().items() if COUNTS not in n}
        states_are(self.student.state(self.model), right, what)


def local(batches: list[tuple[np.ndarray, np.ndarray]]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [(torch.from_numpy(X.copy()), torch.from_numpy(y.copy())) for X, y in batches]


def sent(batches: list[tuple[np.ndarray, np.ndarray]]) -> list[tuple[Tensor, Tensor]]:
    return [(Tensor(X), Tensor(y)) for X, y in batches]


def assert_module(value: Any, name: str) -> Any:
    """The module that the student's function or class made."""
    if not nets.is_object(value):
        raise WrongAnswer(f"{name}(...) should be an nn.Module, not {describe(value)}.")
    return value
