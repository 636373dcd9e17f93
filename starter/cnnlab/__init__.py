"""The library that the notebooks of CNN Lab import.

``check``           the visible check under each question
``carry``           your own functions of an earlier notebook, or torch's in their place
``data``            the pictures to classify, from the network or without one
``features``        from images to rows of numbers: the tools around your own features
``forked``          batches in several processes
``gradient_check``  numeric gradients, to compare yours with
``photo``           a photograph to try filters on
``plots``           the notebooks' pictures
``timing``          clocks for experiments, and yardsticks to compare with
``training``        the training loop: stochastic gradient descent

It holds no answers: no convolution, no pooling, no gradient of a layer in NumPy.
"""

from cnnlab.checks import CheckFailed, check

__all__ = ["CheckFailed", "check"]
__version__ = "0.1.0"
