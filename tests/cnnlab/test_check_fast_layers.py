"""The visible checks of the fast layers: references pass, typical mistakes are explained."""

import functools

import pytest
from answers import NONSENSE, Answers, assert_explained, assert_plain_names

from autograder.diagnose import MISCONCEPTIONS
from cnnlab.checks.steps import STEPS
from solutions import convolution, pooling

ANSWERS = Answers("3_fast_layers")
REFERENCES, as_written, message = ANSWERS.references, ANSWERS.as_written, ANSWERS.message


@pytest.mark.parametrize("question", REFERENCES)
def test_the_reference_passes(question, capfd):
    ANSWERS.assert_passes(question, capfd)


def test_the_names_of_the_steps_are_plain_and_of_the_fast_layers():
    assert_plain_names(REFERENCES)
    assert not any("naive" in step.name for question in REFERENCES for step in STEPS[question])


# What the message about it has to say; where nothing is named, that it fails is enough.
NAMED = {
    "lets_the_images_alternate": "images alternate",
    "stacks_the_windows_as_rows": "transposed",
    "puts_the_channels_of_a_pixel_together": "first all of channel 0",
    "reads_windows_column_by_column": "column by column",
    "goes_down_before_across": "window to the right",
    "takes_windows_at_every_pixel": "stride is not used",
    "forgets_to_pad": "padding is not used",
    "lays_the_window_on_its_side": "height and width",
    "overwrites_where_windows_overlap": "+=",
    "takes_the_mean_of_the_copies": "averaged",
    "keeps_the_padding": "padding is still there",
    "cuts_with_minus_pad": "empty when pad is 0",
    "cuts_at_the_corner": "skip the first pad rows",
    "takes_the_images_in_turn": "images alternate",
    "adds_back_at_every_pixel": "stride is not used",
    "reshapes_where_it_should_transpose": "then transpose",
    "leaves_out_the_bias": "bias is not added",
    "turns_the_filters_round": "filter is flipped",
    "loses_the_images_that_are_left_over": "the last few too",
    "steps_by_one_pixel": "stride is not used",
    "convolves_without_padding": "padding is not used",
    "exchanges_rows_and_columns": "rows and columns of out",
    "keeps_the_dw_of_the_last_image": "add up",
    "divides_by_the_number_of_images": "divided by the number of images",
    "gives_db_a_row_for_each_image": "sum over all",
    "begins_with_zeros": "starts from 0",
    "mixes_the_channels": "over the channels",
    "averages_instead": "mean, not the maximum",
    "slides_by_one_pixel": "i·stride",
    "assigns_instead_of_adding": "add up",
    "forgets_the_mask": "only the largest should",
    "only_adds_up": "that is the sum",
    "takes_windows_for_square": "pool_height",
    "takes_the_maximum_instead": "that is the maximum",
    "averages_in_steps_of_one": "i·stride",
    "gives_everybody_all_of_it": "divides by the pixels",
    "assigns_the_shares": "+=",
    "spreads_the_gradient_over_the_window": "as in average pooling",
    "returns_what_goes_into_the_pooling": "goes into the pooling",
    "returns_the_gradients_in_another_order": "out, dx, dw, db",
    "pools_with_averages": "average pooling",
    "puts_a_relu_between": "no ReLU",
    "gives_the_gradient_to_the_whole_window": "only the largest number",
    "averages_the_gradients_over_the_images": "divided by the number of images",
    "takes_the_images_for_alternating": "as in CS231n",
    "reshapes_dout_without_transposing": "cannot exchange axes",
    "reads_dout_as_if_the_images_alternated": "as in CS231n",
    "views_every_window": "stride is not used",
    "leaves_the_filters_last": "filters' axis is the last one",
    "pairs_rows_with_columns": "rows and columns of the filter are exchanged",
    "forgets_the_conjugate": "lacks its np.conj",
    "cuts_out_the_wrong_part": "cut out from row 0 on",
    "keeps_the_windows_that_wrap_around": "wrap around are still there",
    "does_not_say_how_wide": "irfft2 was not told the shape",
    "sums_without_the_bias": "bias is not added",
    "transforms_without_the_bias": "bias is not added",
}


@pytest.mark.parametrize("question, name", [(q, n) for q in REFERENCES for n in MISCONCEPTIONS[q]])
def test_a_typical_mistake_is_explained(question, name):
    text = message(question, MISCONCEPTIONS[question][name])
    assert_explained(question, text, NAMED.get(name, ""))


def test_the_names_here_are_those_of_typical_mistakes():
    assert set(NAMED) <= {name for question in REFERENCES for name in MISCONCEPTIONS[question]}


@pytest.mark.parametrize("question", REFERENCES)
@pytest.mark.parametrize("dummy", NONSENSE, ids=repr)
def test_nonsense_fails_and_says_what_came(question, dummy):
    ANSWERS.assert_refuses(question, dummy)


@pytest.mark.parametrize("layer", ["conv", "max_pool", "avg_pool"])
@pytest.mark.parametrize("broken", ["not written", "None", "wrong"])
def test_a_broken_forward_pass_is_named(layer, broken):
    def stub(*args):
        raise NotImplementedError()

    name = f"{layer}_forward_fast"
    wrong = {
        "not written": stub,
        "None": lambda *args: None,
        "wrong": next(iter(MISCONCEPTIONS[name].values())),
    }[broken]
    right = REFERENCES[f"{layer}_backward_fast"]
    others = {name: as_written(name, wrong)}
    assert f"your {name}" in message(f"{layer}_backward_fast", right, **others)


def test_loops_are_too_slow():
    naive = {
        "conv_forward_fast": convolution.conv_forward_naive,
        "conv_backward_fast": convolution.conv_backward_naive,
        "max_pool_forward_fast": pooling.max_pool_forward_naive,
        "max_pool_backward_fast": pooling.max_pool_backward_naive,
    }

    def step(x, w, b, conv_param, pool_param, dout, functions):
        features, conv_cache = functions["conv_forward_fast"](x, w, b, conv_param)
        out, pool_cache = functions["max_pool_forward_fast"](features, pool_param)
        dfeatures = functions["max_pool_backward_fast"](dout, pool_cache)
        return out, *functions["conv_backward_fast"](dfeatures, conv_cache)

    for layer in ("conv", "max_pool"):
        ours = {name: naive[name] for name in naive if name.startswith(layer)}
        slow = functools.partial(step, functions={**REFERENCES, **ours})
        text = message("conv_pool_step", slow)
        assert "times as fast" in text and "a loop over pixels" in text
