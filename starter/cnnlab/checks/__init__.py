"""The visible checks: ``check(f)`` runs the steps of the question that f answers.

steps.py       what a step is, CheckFailed, and the list of all steps
expect.py      comparisons that explain themselves
table.py       how a check looks, in a notebook and in a terminal
run.py         check(f)

The steps themselves, by subject:
neighbours.py, losses.py, histograms.py, words.py, layers.py    of 1_image_features
arithmetic.py, convolution.py, pooling.py                       of 2_conv_layers
columns.py, fast_layers.py                                      of 3_fast_layers
affine.py, dropout.py, batchnorm.py, update_rules.py,
three_layers.py, convnet.py, costs.py, designs.py, groupnorm.py of 4_convnet, with
nets.py        what can be asked of a net
hand_worked.py the three-layer net on numbers that can be worked out by hand
torch_nets.py, modules.py, torch_training.py, kernels.py        of 5_gpu, with
tensors.py     comparisons of tensors and modules
probes.py      what can be found out about a module from outside
outside.py     what a function reads from other cells
"""

from cnnlab.checks import (  # noqa: F401  (they register steps)
    affine,
    arithmetic,
    batchnorm,
    columns,
    convnet,
    convolution,
    costs,
    designs,
    dropout,
    fast_layers,
    groupnorm,
    histograms,
    kernels,
    layers,
    losses,
    modules,
    neighbours,
    pooling,
    three_layers,
    torch_nets,
    torch_training,
    update_rules,
    words,
)
from cnnlab.checks.run import check
from cnnlab.checks.steps import CheckFailed

__all__ = ["CheckFailed", "check"]
