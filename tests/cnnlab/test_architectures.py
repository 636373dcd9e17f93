"""Layers as words."""

import json

import pytest

from cnnlab.architectures import ALEXNET, LENET5, avg_pool, conv, fc, max_pool


def test_nothing_is_left_out():
    assert conv(32, 3) == {
        "kind": "conv", "filters": 32, "kernel": 3, "stride": 1, "pad": 1, "groups": 1
    }  # fmt: skip
    assert conv(8, 5, stride=2, pad=0, groups=2)["pad"] == 0
    pooled = {"kind": "max_pool", "pool_height": 3, "pool_width": 3, "stride": 2}
    assert max_pool(3, stride=2) == pooled
    assert avg_pool(2) == {"kind": "avg_pool", "pool_height": 2, "pool_width": 2, "stride": 2}
    assert fc(100) == {"kind": "fc", "outputs": 100}
    assert json.loads(json.dumps([LENET5, ALEXNET])) == [LENET5, ALEXNET]


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: conv(0, 3), "filters of a conv layer is 0: a whole number >= 1"),
        (lambda: conv(4, 3, pad=-1), "pad of a conv layer is -1: a whole number >= 0"),
        (lambda: fc(2.5), "outputs of a fc layer is 2.5"),
        (lambda: max_pool(2, stride=0), "stride of a max_pool layer is 0"),
    ],
)
def test_impossible_layers_are_told(make, words):
    with pytest.raises(ValueError, match=words):
        make()
