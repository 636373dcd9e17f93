"""What hidden tests of nets share: objects in the student's kernel, their weights and gradients.

A net stays in the kernel. A test gives it weights, so that its numbers can be compared, and calls
its methods. Whatever a student's class has in the place of a method or of a dict, a test gets a
WrongAnswer that says so, and never an error of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.compare import assert_close, describe, unpack
from autograder.errors import StudentRaised, WrongAnswer
from autograder.hidden.inputs import SINGLE, assert_unchanged

NOISE = {4: 1e-5, 8: 1e-10}  # bytes of a number: what rounding leaves of a gradient that is 0
SIGMAS = 6  # how far a right class's random weights may be off, in standard errors


def is_object(value: Any) -> bool:
    """Whether it stayed in the kernel."""
    return getattr(value, "type_name", None) is not None


def made(value: Any, name: str) -> Any:
    """The object that calling the student's class gave."""
    if not is_object(value):
        raise WrongAnswer(f"{name}(...) should be an object of your class, not {describe(value)}.")
    return value


def call(net: Any, name: str, *args: Any) -> Any:
    """net.name(*args)"""
    method = getattr(net, name)
    if not is_object(method):
        raise WrongAnswer(
            f"{name} of your net should be a method, not {describe(method)}. Is it overwritten "
            f"with self.{name} = ...?"
        )
    try:
        return method(*args)
    except StudentRaised as error:
        if error.ename == "TypeError" and "'str' object is not callable" in str(error):
            raise WrongAnswer(
                f"{error}. dtype may be the type's name, such as 'float32', which cannot be "
                "called: X.astype(self.dtype) takes a name and a type."
            ) from None
        raise


def assert_scores(net: Any, X: np.ndarray, right: Any) -> None:
    """The scores for the right net's weights, which were assigned. If not: do they follow?"""
    scores = call(net, "loss", X)
    try:
        assert_close(scores, right.loss(X), name="scores")
    except WrongAnswer:
        net.params = {name: 2 * array for name, array in right.params.items()}
        again = call(net, "loss", X)
        if isinstance(scores, np.ndarray) and np.array_equal(scores, again):
            raise WrongAnswer(
                "the net got other weights, net.params = {...}, and its scores stayed the same. "
                "Read self.params anew in each call, and keep none of its arrays elsewhere."
            ) from None
        raise


def assign(net: Any, params: dict[str, np.ndarray]) -> None:
    """Give a net these weights, after a look at whether it has weights of these names."""
    names_are(own_params(net), params, "params")
    net.params = params


def own_params(net: Any) -> dict[str, np.ndarray]:
    return plain_dict(net, net.params, "params")


def plain_dict(student: Any, value: Any, name: str) -> dict[str, Any]:
    """A dict of arrays, wherever it is."""
    if is_object(value) and value.type_name in ("dict", "OrderedDict", "defaultdict"):
        value = student.get(value)
    if not isinstance(value, dict):
        raise WrongAnswer(f"{name} should be a dict of arrays, not {describe(value)}.")
    return value


def names_are(came: dict, expected: dict, name: str) -> None:
    missing = [key for key in expected if key not in came]
    if missing:
        raise WrongAnswer(f"{name} has no {' and no '.join(map(repr, missing))}.")
    if len(came) > len(expected):
        many = sorted(str(key)[:30] for key in came if key not in expected)[:4]
        raise WrongAnswer(f"{name} has {' and '.join(many)}, which should not be there.")


def loss_and_grads(student: Any, net: Any, X: Any, y: Any) -> tuple[Any, dict[str, Any]]:
    loss, grads = unpack(call(net, "loss", X, y), "loss", "grads")
    return loss, plain_dict(student, grads, "grads")


def assert_gradients(came: dict, expected: dict, names=None, **tolerance: float) -> None:
    """The gradients of these params; of all of them, and of no others, where none are named."""
    if names is None:
        names_are(came, expected, "grads")
    largest = max(float(np.abs(array).max()) for array in expected.values())
    for name in names or expected:
        if name not in came:
            raise WrongAnswer(f"grads has no {name!r}.")
        right = expected[name]
        if np.abs(right).max() < NOISE[right.dtype.itemsize] * largest:
            assert_vanishes(came[name], right.shape, largest, name)
        else:
            assert_close(came[name], right, name=f"grads[{name!r}]", **tolerance)


def assert_vanishes(came: Any, shape: tuple, largest: float, name: str) -> None:
    """A gradient that is 0 but for rounding: of a bias before a batch normalisation."""
    assert_shape(came, shape, f"grads[{name!r}]")
    if not np.all(np.abs(came) < 1e-4 * largest):
        raise WrongAnswer(
            f"grads[{name!r}] should be 0, but for rounding: the batch normalisation that follows "
            "takes any constant off again."
        )


def random_params(rng: np.random.Generator, shapes: dict[str, np.ndarray]) -> dict:
    """Weights of these shapes; biases and the like too are far from 0.

    So large that the numbers keep their size from layer to layer.
    """
    made = {}
    for name, array in shapes.items():
        scale = 1 / np.sqrt(np.prod(array.shape[1:] if array.ndim == 4 else array.shape[:1]))
        scale = scale * 1.5 if name[0] == "W" else 0.5
        made[name] = scale * rng.standard_normal(array.shape) + (name.startswith("gamma"))
    return made


def draw_batch(rng: np.random.Generator, N: int, shape: tuple, classes: int):
    """Images, and classes of which each occurs where there are images enough."""
    return rng.standard_normal((N, *shape)), rng.permutation(np.arange(N) % classes)


def assert_weights(came: Any, shape: tuple, std: float, name: str, causes=()) -> None:
    """A random array of this shape, of mean 0 and this standard deviation.

    ``causes`` are pairs (another standard deviation, what would make it).
    """
    assert_shape(came, shape, name)
    values = np.asarray(came, np.float64)
    if not np.isfinite(values).all():
        raise WrongAnswer(f"{name} holds NaN or infinity.")
    if np.ptp(values) == 0 and std > 0:
        raise WrongAnswer(
            f"all entries of {name} are equal. Draw them at random: equal weights get equal "
            "gradients, and stay equal."
        )
    room = SIGMAS / np.sqrt(values.size)
    found = float(np.sqrt(np.mean(values**2)))
    if abs(float(values.mean())) > room * std:
        raise WrongAnswer(f"the entries of {name} have a mean that is not 0. Draw with mean 0.")
    if abs(found / std - 1) > room:
        other = [why for wrong, why in causes if abs(found / wrong - 1) <= room]
        large = "large" if found > std else "small"
        why = f" {other[0]}" if other else ""
        raise WrongAnswer(f"the standard deviation of {name} is too {large}.{why}")
    # of a normal distribution 68 % lie within one; of a uniform one 58 %
    if abs(float(np.mean(np.abs(values) < found)) - 0.683) > 0.05 + room / 2:
        raise WrongAnswer(f"{name} does not look as if it were drawn from a normal distribution.")


def assert_constant(came: Any, shape: tuple, value: float, name: str) -> None:
    assert_shape(came, shape, name)
    if not np.all(np.asarray(came) == value):
        raise WrongAnswer(f"{name} should be {value:g} everywhere at first.")


def assert_shape(came: Any, shape: tuple, name: str) -> None:
    if not isinstance(came, np.ndarray) or came.dtype.kind not in "iuf":
        raise WrongAnswer(f"{name} should be an array of numbers, not {describe(came)}.")
    assert_close(np.zeros(came.shape), np.zeros(shape), name=name)  # it tells what is odd


def assert_dtype(came: Any, dtype: type, name: str) -> None:
    if np.asarray(came).dtype != dtype:
        raise WrongAnswer(
            f"{name} has the dtype {np.asarray(came).dtype}, where the net's is "
            f"{np.dtype(dtype)}. Twice the bytes take twice the time."
        )


def assert_keeps_its_inputs(student: Any, net: Any, X, y, expected: tuple) -> None:
    """Scores, loss and gradients of images in another precision, which stay as they were."""
    held = student.put(X), student.put(y)
    before = own_params(net)
    loss, grads = loss_and_grads(student, net, *held)
    assert_close(loss, expected[0], name="loss", **SINGLE)
    assert_gradients(grads, expected[1], **SINGLE)
    for handle, value, name in zip(held, (X, y), ("X", "y"), strict=True):
        assert_unchanged(student.get(handle), value, name)
    after = own_params(net)
    for name, value in before.items():
        assert_unchanged(after[name], value, f"params[{name!r}]")


# -- ConvNet: its steps, outputs, caches, running averages -----------------------------------------


def rows_of(student: Any, value: Any, name: str) -> list:
    """A list or tuple, wherever it is; what is in it may still be in the kernel."""
    if is_object(value) and value.type_name in ("list", "tuple"):
        return [value[place] for place in range(len(value))]
    if not isinstance(value, (list, tuple)):
        raise WrongAnswer(f"{name} should be a list, not {describe(value)}.")
    return list(value)


def assert_steps(student: Any, net: Any, expected: list[str]) -> None:
    names = []
    for row in rows_of(student, net.steps, "steps"):
        is_row = is_object(row) or (isinstance(row, (list, tuple)) and len(row))
        names.append(row[0] if is_row else row)
    if names != expected:
        came = ", ".join(str(name)[:20] for name in names[:30])
        raise WrongAnswer(
            f"the names of the steps are {came or 'missing'}. That is not the order of this net: "
            "after each CONV its batch normalisation and ReLU, each with the CONV's number; after "
            "each FC but the last its ReLU and dropout."
        )


def forward(student: Any, net: Any, *args: Any) -> tuple[list, list]:
    """(outs, caches) of net.forward(X, mode); the caches stay where they are."""
    outs, caches = unpack(call(net, "forward", *args), "outs", "caches")
    return rows_of(student, outs, "outs"), rows_of(student, caches, "caches")


def backward(student: Any, net: Any, *args: Any) -> tuple[Any, dict]:
    dX, grads = unpack(call(net, "backward", *args), "dX", "grads")
    return dX, plain_dict(student, grads, "grads")


def running_averages(student: Any, net: Any) -> list[dict]:
    """A copy of what bn_params holds; what is missing there is 0, as the layer takes it."""
    rows = rows_of(student, net.bn_params, "bn_params")
    return [plain_dict(student, row, f"bn_params[{i}]") for i, row in enumerate(rows)]


def set_running_averages(net: Any, values: list[dict]) -> None:
    """Into the dicts that are there, which the steps may share."""
    rows = net.bn_params
    if not isinstance(rows, (list, tuple)) or len(rows) != len(values):
        raise WrongAnswer(f"bn_params should be a list of {len(values)} dicts.")
    for row, value in zip(rows, values, strict=True):
        if not is_object(row):
            raise WrongAnswer(f"bn_params should hold dicts, not {describe(row)}.")
        row.update(value)
