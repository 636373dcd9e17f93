"""The visible checks of the layers, and how checks go wrong.

The reference passes, typical wrong answers fail with a useful message.
"""

import functools
import itertools
import linecache
import time
import warnings

import numpy as np
import pytest
from answers import AN_OBJECT, assert_explained

from autograder import diagnose
from autograder.misconceptions import conv_layers  # noqa: F401  (registers them)
from cnnlab.checks import CheckFailed, check, steps
from cnnlab.checks.expect import array
from cnnlab.checks.steps import Grid
from cnnlab.checks.table import CheckTable, digits_apart, number
from solutions import arithmetic, convolution, pooling

REFERENCES = {
    name: getattr(module, name)
    for module in (arithmetic, convolution, pooling)
    for name in dir(module)
    if name in steps.STEPS
}
STEPS = {q: steps.STEPS[q] for q in REFERENCES}
MISCONCEPTIONS = {q: diagnose.MISCONCEPTIONS[q] for q in REFERENCES}
BACKWARD = [q for q in STEPS if "backward" in q]
_numbers = itertools.count()


def cell(source: str, **names) -> dict:
    """Run a cell as ipykernel does: in the notebook's namespace, its lines there for tracebacks."""
    filename = f"/tmp/ipykernel_7/{next(_numbers)}.py"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    namespace = {"np": np, **names}
    exec(compile(source, filename, "exec"), namespace)
    return namespace


def as_written(question: str, answer, **others):
    """``answer`` as a notebook's function, its neighbours right unless ``others`` has them."""
    source = f"def {question}(*args):\n    return answer(*args)\n"
    return cell(source, **{**REFERENCES, **others, "answer": answer})[question]


def message(question: str, answer, **others) -> str:
    with pytest.raises(CheckFailed) as failed:
        check(as_written(question, answer, **others))
    return str(failed.value)


@pytest.fixture(autouse=True)
def nothing_on_stderr(capfd):
    """nbgrader's Validate takes the points of a cell that writes there."""
    yield
    assert capfd.readouterr().err == ""


def test_every_question_has_a_check():
    assert len(STEPS) == 10
    for listed in STEPS.values():
        names = [step.name for step in listed]
        assert len(names) == len(set(names)) >= 4
        assert all(len(name) < 75 and not name.endswith(".") for name in names)


@pytest.mark.parametrize("question", STEPS)
def test_the_reference_passes(question, capfd):
    start = time.process_time()
    assert check(REFERENCES[question]) is None
    assert time.process_time() - start < 1
    shown = capfd.readouterr().out
    assert shown.count("✓") == len(STEPS[question])
    assert "✗" not in shown


# --- what a fair grader accepts -------------------------------------------------------------------


def lists(question, *args):
    """Lists for tuples and for arrays; a cache of the student's own."""
    if "backward" in question:
        result = REFERENCES[question](args[0], args[1]["mine"])
        return [r.tolist() for r in result] if isinstance(result, tuple) else result.tolist()
    out, cache = REFERENCES[question](*args)
    return [out.tolist(), {"mine": cache, "more": None}]


def float32(question, *args):
    result = REFERENCES[question](*args)
    if not isinstance(result, tuple):
        return result.astype(np.float32)
    return tuple(r.astype(np.float32) if isinstance(r, np.ndarray) else r for r in result)


def float64(question, *args):
    result = REFERENCES[question](*args)
    return (result[0].astype(np.float64), *result[1:]) if isinstance(result, tuple) else result


def numpy_numbers(question, *args):
    result = REFERENCES[question](*args)
    if question != "conv_cost":
        return np.int64(result)
    return [np.array(result[0]), np.int64(result[1]), np.array(result[2])]


@pytest.mark.parametrize("style", [lists, float32, float64])
@pytest.mark.parametrize("question", [q for q in STEPS if "ward" in q])
def test_other_styles_of_layers_pass(question, style):
    answers = {q: functools.partial(style, q) for q in REFERENCES if "ward" in q}
    check(as_written(question, answers[question], **answers))


@pytest.mark.parametrize("question", [q for q in STEPS if "ward" not in q])
def test_numpy_integers_pass(question):
    check(as_written(question, functools.partial(numpy_numbers, question)))


@pytest.mark.parametrize("question", [q for q in STEPS if "ward" in q and "general" not in q])
def test_inputs_are_left_as_they_were(question):
    def spoils(first, *rest):
        result = REFERENCES[question](first.copy(), *rest)
        first += 1
        return result

    what = "dout" if question in BACKWARD else "x"
    assert f"{what} was changed by the call" in message(question, spoils)


# --- typical wrong answers ------------------------------------------------------------------------

# Left to the hidden tests: without them, a check passed would be full marks.
HIDDEN = {"crops_with_minus_pad", "always_crops_by_one"}

NAMED = {
    "pads_one_end_only": "counted once",
    "forgets_the_first_place": "first place counts",
    "rounds_instead_of_refusing": "a ValueError",
    "lets_too_large_filters_through": "compare the lengths",
    "never_refuses": "a ValueError",
    "divides_all_by_the_stride": "brackets",
    "leaves_out_the_biases": "a bias too",
    "gives_a_filter_one_channel": "all 3 channels",
    "keeps_the_channels_of_the_input": "for each filter",
    "puts_the_channels_last": "channels come first",
    "computes_at_every_input_pixel": "each pixel of the input",
    "counts_the_bias_additions": "biases is not counted",
    "ignores_strides": "2 pixels apart",
    "applies_a_stride_too_early": "its own layer",
    "applies_strides_backwards": "2 pixels apart",
    "keeps_only_the_last_stride": "just before",
    "adds_whole_kernels": "start from the one pixel",
    "forgets_the_pixel_itself": "start from the one pixel",
    "flips_the_filter": "flipped",
    "forgets_the_bias": "bias is not added",
    "adds_the_bias_to_every_product": "inside the sum",
    "windows_start_at_every_pixel": "every pixel",
    "ignores_the_stride": "stride is not used",
    "ignores_the_padding": "padding is not used",
    "pads_top_and_left_only": "above and to the left",
    "always_pads_by_one": "conv_param['pad']",
    "repeats_the_border": "Pad with zeros",
    "takes_images_for_square": "height and width",
    "swaps_rows_and_columns_of_the_output": "exchanged",
    "uses_the_first_channel_only": "first channel",
    "uses_the_first_image_only": "first image",
    "loses_the_last_row_and_column": "the first place too",
    "returns_the_padded_dx": "without the padding",
    "crops_the_wrong_corner": "cut off on all four sides",
    "overwrites_dx": "+=",
    "overwrites_dw": "+=",
    "forgets_the_stride_in_backward": "i·stride",
    "averages_over_the_images": "number of images",
    "flips_the_filter_in_dx": "flipped",
    "sums_db_over_the_images_only": "sum over all of them",
    "takes_db_from_the_first_image": "every image",
    "takes_dw_from_the_unpadded_image": "padded image",
    "starts_from_zero": "starts from 0",
    "steps_by_the_window": "side by side",
    "pools_at_every_pixel": "every pixel",
    "swaps_the_sides_of_the_window": "W' from the width",
    "takes_the_largest_of_all_channels": "over the channels",
    "takes_the_mean": "the mean",
    "overwrites_the_window": "+=",
    "overwrites_the_largest": "+=",
    "gives_it_to_the_whole_window": "only the largest",
    "shares_it_in_the_window": "average pooling",
    "forgets_where_the_window_starts": "place within a window",
    "multiplies_by_the_largest": "multiplied",
    "forgets_the_stride_in_max_pool": "i·stride",
    "divides_by_the_height_squared": "pool_height times pool_width",
    "forgets_to_divide": "the sum",
    "averages_side_by_side": "side by side",
    "averages_at_every_pixel": "every pixel",
    "averages_over_channels": "over the channels",
    "takes_the_largest": "the maximum",
    "forgets_to_share": "gets all of it",
    "overwrites_shares": "+=",
    "shares_by_the_height_squared": "pool_height twice",
    "gives_it_to_the_largest": "max pooling",
    "forgets_the_stride_in_avg_pool": "i·stride",
    "divides_by_the_number_of_windows": "number of windows",
    "shows_all_filters_the_first_group": "first group",
    "deals_channels_out_in_turn": "dealt out in turn",
    "deals_filters_out_in_turn": "dealt out in turn",
    "ignores_the_dilation": "takes up 5 pixels",
    "dilates_by_one_more": "without gaps",
}


@pytest.mark.parametrize(
    "question, name", [(q, n) for q, wrong in MISCONCEPTIONS.items() for n in wrong if n in NAMED]
)
def test_a_typical_mistake_is_explained(question, name):
    text = " ".join(message(question, MISCONCEPTIONS[question][name]).split())
    assert_explained(question, text, NAMED[name])


def test_no_typical_mistake_is_forgotten_here():
    names = {name for wrong in MISCONCEPTIONS.values() for name in wrong}
    assert set(NAMED) <= names
    assert len(names - set(NAMED) - HIDDEN) <= 3  # a new one may wait for its message


@pytest.mark.parametrize("question", STEPS)
@pytest.mark.parametrize(
    "dummy",
    [None, 0, 1.5, "out", (), (None, None), (None, None, None), {}, [[1, 2], [3]], AN_OBJECT],
    ids=repr,
)
def test_nonsense_fails_and_says_what_came(question, dummy):
    text = message(question, lambda *args: dummy)
    assert "your code raised" not in text
    assert "expected:" in text


@pytest.mark.parametrize(
    "wrong, expected",
    [
        (lambda out: np.round(out * 4).astype(int), "dtype int64"),
        (lambda out: np.full(out.shape, np.nan), "division by zero"),
        (lambda out: out[0], "has shape"),
        (lambda out: None, "out is None"),
        (lambda out: "words", "'words', of type str"),
    ],
)
def test_arrays_that_are_none(wrong, expected):
    def answer(x, pool_param):
        out, cache = pooling.avg_pool_forward_naive(x, pool_param)
        return wrong(out), cache

    assert expected in message("avg_pool_forward_naive", answer)


def test_a_float_where_an_integer_belongs():
    def answer(size, kernel, pad, stride):
        return (size + 2 * pad - kernel) / stride + 1

    text = message("conv_output_size", answer)
    assert "5.0, a float" in text
    assert "Use //" in text


def test_one_value_too_few():
    text = message("conv_forward_naive", lambda *a: convolution.conv_forward_naive(*a)[0])
    assert "2 values: (out, cache)" in text


# --- how a check goes wrong -----------------------------------------------------------------------


@pytest.mark.parametrize("question", [q for q in STEPS if q not in BACKWARD])
def test_a_stub(question, capfd):
    stub = cell(f"def {question}(*args):\n    # YOUR CODE HERE\n    raise NotImplementedError()")
    with pytest.raises(CheckFailed, match="not written yet") as failed:
        check(stub[question])
    assert "NotImplementedError" in str(failed.value)
    shown = capfd.readouterr().out
    assert f"✗ {STEPS[question][0].name}" in shown
    assert f"{len(STEPS[question]) - 1} more, not run yet" in shown


@pytest.mark.parametrize("question", BACKWARD)
def test_a_backward_stub(question):
    def stub(dout, cache):
        raise NotImplementedError()

    assert "not written yet" in message(question, stub)


@pytest.mark.parametrize("question", BACKWARD)
def test_a_missing_forward_pass(question):
    forward = question.replace("backward", "forward")
    f = cell(f"def {question}(*args):\n    return answer(*args)", answer=REFERENCES[question])
    with pytest.raises(CheckFailed, match=f"no {forward} here") as failed:
        check(f[question])
    assert "run its cell first" in str(failed.value)


@pytest.mark.parametrize("question", BACKWARD)
def test_a_broken_forward_pass(question, capfd):
    forward = question.replace("backward", "forward")
    not_written = cell(f"def {forward}(*args):\n    raise NotImplementedError()")[forward]
    wrong = list(MISCONCEPTIONS[forward].values())
    for broken in [not_written, lambda *args: None, *wrong[:2]]:
        text = message(question, REFERENCES[question], **{forward: broken})
        trouble = "is not written" if broken is not_written else "does not pass its own check"
        assert f"your {forward} {trouble} yet" in text
        assert f"check({forward})" in text
    assert forward in capfd.readouterr().out  # the step's name


def test_the_forward_pass_is_found_behind_a_decorator():
    @functools.wraps(pooling.max_pool_backward_naive)
    def timed(*args):
        return pooling.max_pool_backward_naive(*args)

    check(timed)


RAISES = """
def windows(x):
    rows = x.shape[2]
    return x[rows, 0, 0, 0]

def max_pool_forward_naive(x, pool_param):
    height = pool_param["pool_height"]
    return windows(x)
"""


def test_an_exception_is_framed_with_the_students_lines():
    f = cell(RAISES)["max_pool_forward_naive"]
    with pytest.raises(CheckFailed) as failed:
        check(f)
    text = str(failed.value)
    assert "line 8 of max_pool_forward_naive:  return windows(x)" in text
    assert "line 4 of windows:  return x[rows, 0, 0, 0]" in text
    assert "IndexError: index 4 is out of bounds" in text
    assert "a loop that runs too far" in text
    assert "checks/" not in text  # no frame of ours
    assert isinstance(failed.value.__cause__, IndexError)
    assert "CheckFailed" in failed.value._render_traceback_()[0]


@pytest.mark.parametrize(
    "body, cause",
    [
        ("return np.product(size)", "np.prod"),
        ("return np.zeros(size / 2)", "sizes and indices need //"),
        ("return np.ones(3) + np.ones(4)", "print both shapes"),
        ("return pading", "misspelt"),
        ("assert size > 7", "raise ValueError(...), not assert"),
        ("np.zeros(2)[0] = np.ones(2)", "b[f]? a sum over all axes?"),
        ("a = np.zeros(2, int); a += 0.5", "integer dtype; use floats"),
        ("return np.ones((2, 3)) @ np.ones((4, 5))", "as many columns as the right one rows"),
        ("return np.dot(np.ones((2, 3)), np.ones((4, 5)))", "as many columns as the right one"),
        ("return np.ones(6).reshape(4, 2)", "a reshape keeps all numbers"),
        ("return size // (kernel // 100)", "At least one: max(1, …)"),
        ("return [n for n in range(0, size, kernel // 100)]", "At least one: max(1, …)"),
        ("N, C = np.ones((1, 2, 3, 4)).shape", "images and filters have four sizes"),
        ("N, C, H, W = np.ones((3, 4)).shape", "images and filters have four sizes"),
        ("return {'stride': 1}['pad']", "the dict has no 'pad': misspelt, taken out by pop"),
        ("raise KeyError(['pad'])", "the dict has no ['pad']"),
        ("raise KeyError", "raise KeyError KeyError"),
    ],
)
def test_usual_causes_of_exceptions(body, cause):
    f = cell(f"def conv_output_size(size, kernel, pad, stride):\n    {body}\n")["conv_output_size"]
    with pytest.raises(CheckFailed) as failed:
        check(f)
    assert body in str(failed.value)
    assert cause in " ".join(str(failed.value).split())


def test_an_exception_in_another_cells_function_shows_where():
    helper = "def conv_output_size(*args):\n    return [][0]\n"
    size = cell(helper)["conv_output_size"]
    f = cell("def conv_cost(*args):\n    return conv_output_size()\n", conv_output_size=size)
    with pytest.raises(CheckFailed) as failed:
        check(f["conv_cost"])
    text = str(failed.value)
    outer = text.index("line 2 of conv_cost:  return conv_output_size()")
    assert outer < text.index("line 2 of conv_output_size:  return [][0]")


def test_a_stub_that_is_called_is_named():
    size = cell("def conv_output_size(*args):\n    raise NotImplementedError()\n")
    f = cell("def conv_cost(*args):\n    return conv_output_size()\n", **size)["conv_cost"]
    with pytest.raises(CheckFailed, match="conv_output_size, which your function calls, is not"):
        check(f)
    forward = cell("def max_pool_forward_naive(*args):\n    return conv_output_size()\n", **size)
    text = message("max_pool_backward_naive", pooling.max_pool_backward_naive, **forward)
    assert "your max_pool_forward_naive cannot run yet" in " ".join(text.split())
    assert "conv_output_size, which your function calls" in " ".join(text.split())


def the_first_image_only(x, w, b, conv_param):
    out, cache = convolution.conv_forward_naive(x, w, b, conv_param)
    out[1:] = 0
    return out, cache


def zeros_with_padding(x, w, b, conv_param):
    out, cache = convolution.conv_forward_naive(x, w, b, conv_param)
    return (out * 0 if conv_param["pad"] else out), cache


def more_images_with_padding(x, w, b, conv_param):
    out, cache = convolution.conv_forward_naive(x, w, b, conv_param)
    return np.pad(out, ((conv_param["pad"],) * 2, (0, 0), (0, 0), (0, 0))), cache


def square_windows(x, w, b, conv_param):
    square = w[..., : w.shape[2]]
    return convolution.conv_forward_naive(x, square, b, conv_param)


def another_order(dout, cache):
    dx, dw, db = convolution.conv_backward_naive(dout, cache)
    return dw, dx, db


def scaled(question, factor):
    def answer(first, second):
        param = second if isinstance(second, dict) else second[1]
        pixels = param["pool_height"] * param["pool_width"]
        result = REFERENCES[question](first, second)
        if isinstance(result, tuple):
            return result[0] * pixels / factor(param), result[1]
        return result * pixels / factor(param)

    return answer


def width_is_height(x, pool_param):
    out, cache = pooling.max_pool_forward_naive(x, pool_param)
    square = {**pool_param, "pool_width": pool_param["pool_height"]}
    height, width = out.shape[2:]
    return pooling.max_pool_forward_naive(x, square)[0][..., :height, :width], cache


def four(param):
    return 4


def stride_squared(param):
    return param["stride"] ** 2


@pytest.mark.parametrize(
    "question, answer, words",
    [
        ("conv_forward_naive", the_first_image_only, "loop over all N images"),
        ("conv_forward_naive", zeros_with_padding, "one pair of widths per axis"),
        ("conv_forward_naive", more_images_with_padding, "one pair of widths per axis"),
        ("conv_forward_naive", square_windows, "W' from their width"),
        ("conv_backward_naive", another_order, "the order is dx, dw, db"),
        ("avg_pool_forward_naive", scaled("avg_pool_forward_naive", four), "divided by 4"),
        ("avg_pool_forward_naive", scaled("avg_pool_forward_naive", stride_squared), "stride"),
        ("avg_pool_backward_naive", scaled("avg_pool_backward_naive", four), "divided by 4"),
        ("avg_pool_backward_naive", scaled("avg_pool_backward_naive", stride_squared), "stride"),
        ("max_pool_forward_naive", width_is_height, "pool_width is not used"),
    ],
)
def test_what_a_test_student_did_wrong(question, answer, words):
    assert words in " ".join(message(question, answer).split())


def test_a_filter_compared_with_the_unpadded_side():
    def answer(size, kernel, pad, stride):
        if kernel > size:
            raise ValueError("too large")
        return arithmetic.conv_output_size(size, kernel, pad, stride)

    assert "padded side, 2 + 2" in message("conv_output_size", answer)


def test_the_input_is_shown_by_hand(capfd):
    message("conv_forward_naive", the_first_image_only)
    message("max_pool_forward_naive", lambda x, p: (x[..., ::2, ::2], None))
    shown = capfd.readouterr().out
    assert shown.index("x[0, 0]") < shown.index("yours: out[0, 0]")


def test_other_arguments():
    f = cell("def receptive_field():\n    return 1\n")["receptive_field"]
    with pytest.raises(CheckFailed, match="the arguments differ"):
        check(f)


def test_warnings_become_notes(capfd):
    def answer(x, pool_param):
        warnings.warn("my <own> warning", UserWarning, stacklevel=1)
        np.array([1.0]) / np.array([0.0])
        return pooling.max_pool_forward_naive(x, pool_param)

    check(as_written("max_pool_forward_naive", answer))
    shown = capfd.readouterr().out
    assert shown.count("note: UserWarning: my <own> warning") == 1
    assert "note: RuntimeWarning: divide by zero" in shown


@pytest.mark.parametrize("thing", [None, "conv_cost", ((1, 2, 3), 4, 5), np.ones(2)])
def test_not_a_function(thing):
    with pytest.raises(TypeError, match="the function itself"):
        check(thing)


def test_a_name_without_a_question():
    with pytest.raises(ValueError, match=r"'conv_fast'.*conv_forward_naive"):
        check(cell("def conv_fast(): pass")["conv_fast"])
    with pytest.raises(ValueError, match="'<lambda>'"):
        check(lambda x: x)


# --- how it looks ---------------------------------------------------------------------------------


def test_wrong_numbers_are_marked_beside_the_right_ones(capfd):
    text = message(
        "conv_forward_naive", MISCONCEPTIONS["conv_forward_naive"]["windows_start_at_every_pixel"]
    )
    assert "out[0, 0, 0, 1] = 11, and 9 of 12 numbers differ" in text
    shown = capfd.readouterr().out
    assert shown.index("yours: out[0, 0]") < shown.index("*11") < shown.index("expected")


@pytest.mark.parametrize(
    "one, other, shown",
    [
        (0.1, 0.2, ("0.1", "0.2")),
        (1.23456, 1.23467, ("1.2346", "1.2347")),
        (0.99942105, 0.99936842, ("0.99942", "0.99937")),
        (1.0, np.nextafter(1.0, 2.0), ("1", "1.0000000000000002")),
        (2.0, 2.0, ("2", "2")),
        (np.nan, 1.0, ("nan", "1")),
    ],
)
def test_two_numbers_that_differ_are_shown_with_as_many_digits_as_that_takes(one, other, shown):
    digits = digits_apart(one, other)
    assert (number(one, digits), number(other, digits)) == shown


def test_numbers_that_are_nearly_right_look_different_in_the_table_too():
    with pytest.raises(CheckFailed) as failed:
        array(np.array([[1.0, 5.00001]]), [[1.0, 5.0]], "out", "")
    assert "out[0, 1] = 5.00001, and 1 of 2" in str(failed.value)
    assert "5.00001" in repr(CheckTable("f", (), "a", grids=failed.value.grids))


def test_the_table_escapes_what_it_is_given():
    evil = "<script>alert('x')</script>"
    grid = Grid(evil, np.array([[1.0, np.nan], [np.inf, -2.0]]), np.eye(2, dtype=bool))
    html = CheckTable(evil, (evil,), evil, 3, (grid,), (evil,))._repr_html_()
    assert "<script>" not in html
    assert html.count("&lt;script&gt;") == 5
    for tag in ("div", "table", "tr", "td"):
        assert html.count(f"<{tag}") == html.count(f"</{tag}>")
    assert "3 more, not run yet" in html
    assert "not yet" in html


def test_the_table_has_two_faces():
    table = CheckTable("conv_cost", ("a", "b"))
    assert repr(table) == "check: conv_cost\n  ✓ a\n  ✓ b"
    assert "all right" in table._repr_html_()
