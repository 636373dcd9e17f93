"""The visible checks of the image features: references pass, typical mistakes are explained."""

import functools

import numpy as np
import pytest
from answers import NONSENSE, Answers, assert_explained, assert_plain_names

from autograder.diagnose import MISCONCEPTIONS
from cnnlab.checks import check

ANSWERS = Answers("1_image_features")
REFERENCES, as_written, message = ANSWERS.references, ANSWERS.as_written, ANSWERS.message


@pytest.mark.parametrize("question", REFERENCES)
def test_the_reference_passes(question, capfd):
    ANSWERS.assert_passes(question, capfd)


def test_the_names_of_the_steps_are_plain():
    assert_plain_names(REFERENCES)


# What the message about it has to say; where nothing is named, that it fails is enough.
NAMED = {
    "forgets_the_square_root": "square root is missing",
    "adds_up_absolute_differences": "L1 distance",
    "computes_in_bytes": "uint8",
    "has_a_column_for_each_test_image": "transposed",
    "takes_the_product_once": "once only",
    "takes_the_mean_of_the_squares": "averaged",
    "asks_the_nearest_only": "only the nearest",
    "asks_the_farthest": "farthest",
    "leaves_out_the_nearest": "left out",
    "returns_the_places_of_the_neighbours": "y_train",
    "averages_the_classes": "averaged",
    "softmax_adds_up_the_images": "take their mean",
    "softmax_gradient_is_not_averaged": "not divided by the number of images",
    "returns_the_probabilities": "1 is to be taken off",
    "lets_exp_overflow": "largest score",
    "sums_over_the_images": "axis=1",
    "forgets_the_minus_sign": "minus sign",
    "takes_another_logarithm": "natural",
    "charges_the_right_class_too": "right class is charged",
    "has_no_margin": "margin of 1",
    "pulls_the_right_class_once": "both margins",
    "leaves_the_right_class_alone": "−1",
    "svm_adds_up_the_images": "take the mean",
    "svm_gradient_is_not_averaged": "not divided by the number of images",
    "charges_the_worst_class_only": "only the worst",
    "counts_margins_below_zero": "max with 0",
    "forgets_the_penalty": "penalty is missing",
    "penalty_without_its_half": "twice too large",
    "adds_the_penalty_itself": "penalty itself",
    "averages_once_more": "in dscores already",
    "averages_the_bias": "a mean",
    "sums_db_over_the_classes": "axis 0",
    "transposes_dW": "transposed",
    "never_normalizes": "divide them by their sum",
    "always_normalizes": "normalized is False",
    "divides_by_the_width_of_a_bin": "density=True",
    "counts_lightness": "lightness",
    "takes_blue_for_red": "red and blue are exchanged",
    "loses_the_purple_reds": "add 6",
    "subtracts_bytes": "uint8",
    "counts_a_batch_together": "(N, nbin)",
    "ignores_xmin": "xmin is not used",
    "turns_rows_into_columns": "turned by 90 degrees",
    "tells_rising_from_falling": "modulo 180",
    "differences_of_bytes": "uint8",
    "counts_edges_instead_of_adding_lengths": "pixels are counted",
    "makes_the_image_grey_first": "made grey",
    "never_normalizes_blocks": "not normalised",
    "normalizes_the_whole_image": "normalised together",
    "sums_instead_of_means": "not divided by the 64 pixels",
    "halves_the_gradient": "halved",
    "goes_column_by_column": "column by column",
    "puts_the_channels_first": "channel by channel",
    "patches_at_every_pixel": "stride is not used",
    "misses_the_last_patches": "one more place",
    "transposes_the_patches": "patches are transposed",
    "exchanges_the_places": "places are transposed",
    "makes_one_long_list": "in one list",
    "puts_epsilon_outside_the_root": "under the root",
    "forgets_the_root": "square root is missing",
    "forgets_to_center": "take the mean off",
    "divides_by_one_less": "not by M − 1",
    "does_not_divide_at_all": "divide by the number of patches",
    "multiplies_by_the_root": "multiplied by the root",
    "does_not_turn_back": "Vᵀ is missing",
    "iterates_once": "one iteration only",
    "iterates_once_too_often": "one iteration too many",
    "joins_the_largest_product": "largest product",
    "adds_up_patches": "these are sums",
    "sends_lonely_words_to_zero": "moved to 0",
    "takes_medians": "median",
    "forgets_the_quarters": "each quarter",
    "goes_down_before_across": "upper left, upper right",
    "always_soft": "soft is False",
    "always_hard": "soft is True",
    "averages_the_quarters": "averaged",
    "forgets_the_root_of_the_distances": "squared distances",
    "lets_negative_answers_count": "max with 0",
    "gives_the_middle_to_the_upper_half": "middle went to the upper left",
    "has_no_kink": "max(0, ...) is missing",
    "cuts_the_scores_off": "scores are cut off",
    "forgets_the_first_bias": "b1 is missing",
    "forgets_the_second_bias": "b2 is missing",
    "adds_the_first_bias_too_late": "belongs inside",
    "forgets_the_kink": "nothing passes",
    "forgets_both_penalties": "penalty is missing",
    "both_penalties_without_their_half": "twice too large",
    "penalizes_the_biases": "biases pay no penalty",
    "averages_the_biases": "in dscores already",
    "walks_the_wrong_way": "sign is wrong",
    "corrects_what_was_right": "although it was right",
    "keeps_the_bias": "bias is corrected too",
    "forgets_the_learning_rate": "learning rate is not used",
    "says_one_at_zero": "larger than 0",
    "learns_from_the_sum": "sum itself",
}


@pytest.mark.parametrize("question, name", [(q, n) for q in REFERENCES for n in MISCONCEPTIONS[q]])
def test_a_typical_mistake_is_explained(question, name):
    text = message(question, MISCONCEPTIONS[question][name])
    assert_explained(question, text, NAMED.get(name, ""))


def test_no_typical_mistake_is_forgotten_here():
    names = {name for question in REFERENCES for name in MISCONCEPTIONS[question]}
    assert set(NAMED) <= names
    assert len(names - set(NAMED)) <= 5


@pytest.mark.parametrize("question", REFERENCES)
@pytest.mark.parametrize("dummy", NONSENSE, ids=repr)
def test_nonsense_fails_and_says_what_came(question, dummy):
    ANSWERS.assert_refuses(question, dummy)


@pytest.mark.parametrize("question", REFERENCES)
def test_lists_and_single_precision_pass(question):
    def as_list(value):
        return value.tolist() if isinstance(value, np.ndarray) else value

    def single(value):
        floats = isinstance(value, np.ndarray) and value.dtype.kind == "f"
        return value.astype(np.float32) if floats else value

    def changed(change, *args, **options):
        result = REFERENCES[question](*args, **options)
        if isinstance(result, dict):
            return {name: change(value) for name, value in result.items()}
        return tuple(map(change, result)) if isinstance(result, tuple) else change(result)

    for change in (as_list, single):
        if question == "extract_patches" and change is as_list:
            continue  # a batch of patches as nested lists: nobody returns that
        check(as_written(question, functools.partial(changed, change)))


@pytest.mark.parametrize("broken", ["not written", "None", "wrong"])
def test_a_broken_forward_pass_is_named(broken):
    def stub(*args):
        raise NotImplementedError()

    wrong = {
        "not written": stub,
        "None": lambda *args: None,
        "wrong": MISCONCEPTIONS["two_layer_forward"]["has_no_kink"],
    }[broken]
    right = REFERENCES["two_layer_backward"]
    forward = as_written("two_layer_forward", wrong)
    assert "your two_layer_forward" in message(
        "two_layer_backward", right, two_layer_forward=forward
    )
