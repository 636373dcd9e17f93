"""What the GPU notebook does where the earlier notebooks are not there, or not written yet."""

import numpy as np
import pytest

from autograder.questions import find_assignment
from autograder.release import read_source
from cnnlab.carry import NotCarried
from solutions.three_layer_convnet import ThreeLayerConvNet


def the_cell_with(words):
    sources = [cell.source for cell in read_source(find_assignment("5_gpu")).cells]
    (source,) = [source for source in sources if words in source]
    return source


def not_there(*args, **options):
    raise NotCarried("it is not there")


def not_written(*args, **options):
    raise NotImplementedError()


class LossNotWritten(ThreeLayerConvNet):
    loss = not_written


@pytest.mark.parametrize(
    "carried, said",
    [
        (not_there, "it is not there"),
        (not_written, "not written yet"),
        (LossNotWritten, "not written yet"),
    ],
)
def test_without_an_earlier_net_there_is_none_to_compare_with(carried, said, capsys):
    space = {"np": np, "carry": lambda name: carried, "NotCarried": NotCarried}
    exec(the_cell_with('carry("ThreeLayerConvNet")'), space)
    assert space["numpy_net"] is None
    assert said in capsys.readouterr().out


def test_an_earlier_net_is_compared_with(capsys):
    space = {"np": np, "carry": lambda name: ThreeLayerConvNet, "NotCarried": NotCarried}
    exec(the_cell_with('carry("ThreeLayerConvNet")'), space)
    assert isinstance(space["numpy_net"], ThreeLayerConvNet)
    assert "W1 (10, 3, 5, 5)" in capsys.readouterr().out


@pytest.mark.parametrize("carried", [not_there, not_written])
def test_without_conv_cost_there_is_nothing_to_compare_with(carried, capsys):
    exec(
        the_cell_with('carry("conv_cost")'),
        {"carry": lambda name: carried, "NotCarried": NotCarried},
    )
    assert "No comparison: " in capsys.readouterr().out
