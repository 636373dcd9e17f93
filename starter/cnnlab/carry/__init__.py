"""``carry``: use in this notebook what you wrote in an earlier one.

    from cnnlab.carry import carry
    conv_forward_fast, conv_backward_fast = carry("conv_forward_fast", "conv_backward_fast")

notebooks.py    where earlier notebooks are, and which cells of theirs hold answers
code.py         what code says of itself, found without running it
own.py          from an answer's cell to a function that runs, and nothing else
layers.py       the same layers by torch, for what is not there
choice.py       yours, torch's, or neither: which, and why
"""

from cnnlab.carry.choice import NotCarried, carry, supplied

__all__ = ["NotCarried", "carry", "supplied"]
