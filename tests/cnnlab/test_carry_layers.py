"""The torch-backed layers: the references' signatures and numbers, and nothing of their own."""

import importlib
import inspect
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from autograder.questions import PROJECT
from cnnlab.carry.layers import LAYERS
from cnnlab.gradient_check import numeric_gradient

CLOSE = dict(rtol=1e-9, atol=1e-10)


def references():
    """Name -> the reference, of all layers that have one."""
    found = {}
    for path in sorted((PROJECT / "solutions").glob("[a-z]*.py")):
        module = importlib.import_module(f"solutions.{path.stem}")
        found |= {name: f for name, f in vars(module).items() if name in LAYERS}
    return found


REFERENCES = references()


@st.composite
def convolutions(draw):
    """x, w, b and conv_param whose windows fit evenly."""
    stride, pad = draw(st.integers(1, 3)), draw(st.integers(0, 3))
    C, F = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    kernel = [draw(st.integers(1, 4)) for _ in range(2)]
    places = [draw(st.integers(0, 3)) for _ in range(2)]
    sides = [k + stride * n - 2 * pad for k, n in zip(kernel, places, strict=True)]
    sides = [side + stride * max(0, -(-(1 - side) // stride)) for side in sides]  # at least 1
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.standard_normal((draw(st.integers(1, 2)), C, *sides))
    w, b = rng.standard_normal((F, C, *kernel)), rng.standard_normal(F)
    return x, w, b, {"stride": stride, "pad": pad}, rng


@st.composite
def pools(draw):
    stride = draw(st.integers(1, 4))
    height, width = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    sides = [k + stride * draw(st.integers(0, 3)) for k in (height, width)]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.standard_normal((draw(st.integers(1, 2)), draw(st.integers(1, 3)), *sides))
    return x, {"pool_height": height, "pool_width": width, "stride": stride}, rng


def as_tuple(value):
    return value if isinstance(value, tuple) else (value,)


def compare_pair(stem, suffix, inputs, rng):
    """A forward pass and its backward pass with those of the references."""
    results = []
    dout = None
    for functions in (LAYERS, REFERENCES):
        out, cache = functions[f"{stem}_forward{suffix}"](*inputs)
        dout = rng.standard_normal(out.shape) if dout is None else dout
        backward = functions[f"{stem}_backward{suffix}"]
        results.append((out, *as_tuple(backward(dout, cache))))
    for ours, theirs in zip(*results, strict=True):
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
        assert_allclose(ours, theirs, **CLOSE)


@settings(max_examples=60)
@given(convolutions())
def test_convolution_is_the_references(case):
    *inputs, rng = case
    compare_pair("conv", "_naive", inputs, rng)


@pytest.mark.parametrize("kind", ["max", "avg"])
@settings(max_examples=60)
@given(pools())
def test_pools_are_the_references(kind, case):
    *inputs, rng = case
    compare_pair(f"{kind}_pool", "_naive", inputs, rng)


@settings(max_examples=30)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.floats(0, 2))
def test_the_two_layer_network_is_the_references(N, D, H, C, reg):
    rng = np.random.default_rng(N + 10 * D)
    shapes = {"W1": (D, H), "b1": (H,), "W2": (H, C), "b2": (C,)}
    params = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    X, dscores = rng.standard_normal((N, D)), rng.standard_normal((N, C))
    grads = []
    for functions in (LAYERS, REFERENCES):
        scores, cache = functions["two_layer_forward"](X, params)
        grads.append((scores, functions["two_layer_backward"](dscores, cache, reg)))
    assert_allclose(grads[0][0], grads[1][0], **CLOSE)
    for name in shapes:
        assert_allclose(grads[0][1][name], grads[1][1][name], **CLOSE)
    assert list(grads[0][1]) == list(shapes)


@pytest.mark.parametrize("name", ["softmax_loss", "svm_loss"])
@settings(max_examples=30)
@given(st.integers(1, 6), st.integers(2, 5), st.sampled_from([1, 100, 1000]), st.integers(0, 999))
def test_losses_are_the_references(name, N, C, scale, seed):
    rng = np.random.default_rng(seed)
    x, y = scale * rng.standard_normal((N, C)), rng.integers(0, C, N)
    (loss, dx), (right_loss, right_dx) = (f[name](x, y) for f in (LAYERS, REFERENCES))
    assert np.ndim(loss) == 0 and dx.dtype == right_dx.dtype
    assert_allclose(loss, right_loss, **CLOSE)
    assert_allclose(dx, right_dx, **CLOSE)


def test_a_linear_classifiers_gradients_are_the_references():
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal(shape) for shape in [(5, 3), (5, 4), (4, 3)]]
    came = (functions["linear_backward"](*inputs, 0.3) for functions in (LAYERS, REFERENCES))
    for ours, right in zip(*came, strict=True):
        assert_allclose(ours, right, **CLOSE)


@pytest.mark.parametrize("groups, dilation", [(1, 1), (2, 1), (4, 1), (1, 2), (2, 3)])
def test_groups_and_dilation_are_the_references(groups, dilation):
    rng = np.random.default_rng(1)
    param = {"stride": 2, "pad": 3, "groups": groups, "dilation": dilation}
    inputs = rng.standard_normal((2, 4, 9, 11)), rng.standard_normal((4, 4 // groups, 3, 3))
    outs = [
        f["conv_forward_general"](*inputs, np.arange(4.0), param)[0] for f in (LAYERS, REFERENCES)
    ]
    assert_allclose(*outs, **CLOSE)


# -- those without a reference: torch itself, and numeric gradients --------------------------------


def test_an_affine_layer_is_a_matrix_product():
    rng = np.random.default_rng(2)
    x, w, b = rng.standard_normal((3, 2, 2, 2)), rng.standard_normal((8, 5)), rng.standard_normal(5)
    out, cache = LAYERS["affine_forward"](x, w, b)
    assert_allclose(out, x.reshape(3, -1) @ w + b, **CLOSE)
    dout = rng.standard_normal(out.shape)
    gradients = LAYERS["affine_backward"](dout, cache)
    for index, came in enumerate(gradients):

        def moved(value, index=index):
            at = [x, w, b]
            at[index] = value
            return LAYERS["affine_forward"](*at)[0]

        assert_allclose(came, numeric_gradient(moved, [x, w, b][index], dout), rtol=1e-6, atol=1e-7)


def test_relu_and_global_pooling():
    x = np.array([-2.0, 0.0, 3.0])
    out, cache = LAYERS["relu_forward"](x)
    assert_array_equal(out, [0, 0, 3])
    assert_array_equal(LAYERS["relu_backward"](np.full(3, 5.0), cache), [0, 0, 5])
    x = np.random.default_rng(3).standard_normal((2, 3, 4, 5))
    out, cache = LAYERS["global_avg_pool_forward"](x)
    assert_allclose(out, x.mean((2, 3)), **CLOSE)
    dx = LAYERS["global_avg_pool_backward"](np.ones((2, 3)), cache)
    assert_allclose(dx, np.full(x.shape, 1 / 20), **CLOSE)


def test_dropout_keeps_with_probability_p_and_repeats_with_a_seed():
    x = np.ones((100, 100))
    param = {"p": 0.25, "mode": "train", "seed": 7}
    out, cache = LAYERS["dropout_forward"](x, param)
    assert {0.0, 4.0} == set(np.unique(out))
    assert abs((out > 0).mean() - 0.25) < 0.02
    assert_array_equal(LAYERS["dropout_forward"](x, param)[0], out)
    assert_array_equal(LAYERS["dropout_backward"](np.ones_like(x), cache), out)
    other, _ = LAYERS["dropout_forward"](x, {"p": 0.25, "mode": "train"})
    assert (other != out).any()
    state = torch.random.get_rng_state()
    LAYERS["dropout_forward"](x, param)
    assert torch.equal(torch.random.get_rng_state(), state)
    same, cache = LAYERS["dropout_forward"](x, {"p": 0.25, "mode": "test"})
    assert_array_equal(same, x)
    same[0, 0] = 9
    assert x[0, 0] == 1
    dx = LAYERS["dropout_backward"](x, cache)
    dx[0, 0] = 9
    assert x[0, 0] == 1


# -- what holds for all ---------------------------------------------------------------------------


def test_signatures_are_the_questions():
    assert len(REFERENCES) >= 12
    for name, reference in REFERENCES.items():
        assert inspect.signature(LAYERS[name]) == inspect.signature(reference), name
    for name, layer in LAYERS.items():
        assert layer.__name__ == name and layer.__doc__
        partner = name.replace("_naive", "_fast")
        assert inspect.signature(LAYERS[partner]) == inspect.signature(layer)


@pytest.mark.parametrize(
    "dress",
    [
        lambda a: a[..., ::-1],
        lambda a: np.asfortranarray(a),
        lambda a: a.astype(">f8"),
        lambda a: np.broadcast_to(a, a.shape),
        lambda a: np.rint(a * 4).astype(np.int32),
        lambda a: a.tolist(),
    ],
    ids=["reversed", "fortran", "big endian", "read-only", "ints", "lists"],
)
def test_arrays_in_any_dress(dress):
    rng = np.random.default_rng(4)
    arrays = [dress(rng.standard_normal(s)) for s in [(2, 2, 5, 5), (3, 2, 3, 3), (3,)]]
    plain = [np.array(a, dtype=np.float64) for a in arrays]
    param = {"stride": 1, "pad": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out, cache = LAYERS["conv_forward_fast"](*arrays, param)
        gradients = LAYERS["conv_backward_fast"](np.ones(out.shape), cache)
    right, cache = REFERENCES["conv_forward_naive"](*plain, param)
    assert_allclose(out, right, **CLOSE)
    right = REFERENCES["conv_backward_naive"](np.ones(out.shape), cache)
    for ours, theirs in zip(gradients, right, strict=True):
        assert_allclose(ours, theirs, **CLOSE)
    assert [np.array(a).tolist() for a in arrays] == [p.tolist() for p in plain]


def test_float32_stays_float32():
    x, w, b = (np.ones(s, np.float32) for s in [(1, 2, 4, 4), (3, 2, 3, 3), (3,)])
    out, cache = LAYERS["conv_forward_fast"](x, w, b, {"stride": 1, "pad": 0})
    assert out.dtype == np.float32
    assert {g.dtype for g in LAYERS["conv_backward_fast"](np.ones_like(out), cache)} == {x.dtype}
    assert LAYERS["softmax_loss"](x[0, 0], [0, 1, 2, 3])[1].dtype == np.float32


def test_two_backward_passes_with_one_cache_and_under_no_grad():
    x = np.random.default_rng(5).standard_normal((1, 1, 4, 4))
    param = {"pool_height": 2, "pool_width": 2, "stride": 2}
    with torch.no_grad():
        out, cache = LAYERS["max_pool_forward_fast"](x, param)
        first, second = (
            LAYERS["max_pool_backward_fast"](dout, cache)
            for dout in (np.ones_like(out), 2 * np.ones_like(out))
        )
    assert_array_equal(2 * first, second)
    assert first.sum() == 4


def test_a_cache_tells_nothing_and_fits_its_own_layer_only():
    out, cache = LAYERS["relu_forward"](np.ones(3))
    assert repr(cache) == "<the cache of relu, for its backward pass>"
    with pytest.raises(TypeError):
        iter(cache)
    with pytest.raises(TypeError, match="the cache of relu"):
        LAYERS["conv_backward_fast"](out, cache)
    with pytest.raises(TypeError, match=r"got a tuple\. Carry both in one line"):
        LAYERS["conv_backward_fast"](out, (1, 2, 3))


def test_what_does_not_fit_is_said_with_shapes():
    with pytest.raises(ValueError, match=r"convolution does not work for shapes \(1, 2, 4, 4\), "):
        LAYERS["conv_forward_fast"](
            np.ones((1, 2, 4, 4)), np.ones((3, 3, 3, 3)), np.ones(3), {"stride": 1, "pad": 0}
        )
    out, cache = LAYERS["relu_forward"](np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"dout has shape \(3, 2\).*\(2, 3\)"):
        LAYERS["relu_backward"](out.T, cache)
    with pytest.raises(MemoryError, match=r"the result of convolution for shapes \(1, 1, 4, 4\)"):
        LAYERS["conv_forward_fast"](
            *(np.ones(s) for s in [(1, 1, 4, 4), (1, 1, 3, 3), (1,)]), {"stride": 1, "pad": 10**7}
        )
    with pytest.raises(ValueError, match="softmax loss"):
        LAYERS["softmax_loss"](np.ones((2, 3)), np.array([0, 7]))


def test_torch_is_imported_when_a_layer_is_called_and_not_before():
    code = (
        "import sys, numpy as np\n"
        "from cnnlab.carry.layers import LAYERS\n"
        "assert 'torch' not in sys.modules\n"
        "LAYERS['relu_forward'](np.ones(2))\n"
        "assert 'torch' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_layer_is_computed_with_numpy():
    """what a student could copy is not there: no arithmetic on arrays but torch's"""
    path = PROJECT / "starter" / "cnnlab" / "carry" / "layers.py"
    text = path.read_text("utf-8")
    used = {word.split("(")[0] for word in text.split("np.")[1:]}
    used = {name.split()[0].rstrip(",:)]") for name in used}
    arithmetic = {
        "pad",
        "sum",
        "dot",
        "tensordot",
        "einsum",
        "max",
        "mean",
        "exp",
        "log",
        "maximum",
    }
    assert not used & arithmetic
