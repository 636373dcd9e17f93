"""An example of a residual network of one's own: it reaches all points after a minute or so."""

import torch.nn as nn

from .residual_network import ResidualBlock


def design_resnet():
    """Make your residual network, untrained. You train it further down, and hand its weights in.

    Returns:
        model: a new nn.Module each time, for toys: model(X) takes float32 tensors of shape
            (N, 3, 32, 32), as cnnlab.design.prepared makes them of pictures, and returns scores of
            shape (N, 10)

    ResidualBlock and all of torch.nn are there. The grader calls design_resnet(), gives the module
    the weights from the file design_resnet.npz beside your notebook, sets it to eval mode, and asks
    it about pictures of the same toys that nobody has seen before.
    cnnlab.design.RESNET_LINES are the accuracies to reach; each is worth as many points as the
    others.
    """
    ### BEGIN SOLUTION
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        ResidualBlock(16, 32, stride=2),
        ResidualBlock(32, 48, stride=2),
        ResidualBlock(48, 64, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )
    ### END SOLUTION
