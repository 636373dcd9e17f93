"""The library that the notebooks of CNN Lab import.

``architectures``   ConvNets as lists of layers
``augmentation``    pictures that are a little different each time
``check``           the visible check under each question
``carry``           your own functions of an earlier notebook, or torch's in their place
``data``            the pictures to classify, from the network or without one
``device``          which device does the work in PyTorch; pretend_device is one to try clocks on
``evaluation``      a net's scores and its accuracy
``features``        from images to rows of numbers: the tools around your own features
``forked``          batches in several processes
``gradient_check``  numeric gradients, to compare yours with
``looking``         where to look in a trained net
``parallel``        a part of each batch for each core
``photo``           a photograph to try filters on
``plots``           the notebooks' pictures
``schedules``       how the learning rate changes
``simulator``       CUDA kernels in Python, without a GPU too; threads_in_turn is how
``solver``          the training loop for ConvNets; checkpoint and progress are parts of it
``timing``          clocks for experiments, and yardsticks to compare with
``torch_weights``   the same as weights, for a PyTorch module
``training``        the training loop for features: stochastic gradient descent
``weights``         a net's weights, in a file that can be handed in; array_file is how

It holds no answers: no convolution, no pooling, no gradient of a layer in NumPy.
"""

from cnnlab.checks import CheckFailed, check

__all__ = ["CheckFailed", "check"]
__version__ = "0.1.0"
