"""What lets a net be deep: two convolutions, and a way around them."""

import torch.nn as nn
import torch.nn.functional as F


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, and a shortcut past them:

        conv1 - bn1 - relu - conv2 - bn2 - (+ shortcut of x) - relu

    The convolutions learn what is to be added to x: the residual. The shortcut lets x, and on the
    way back the gradient, pass as it is. Where the block changes the shape of x, the shortcut is a
    1x1 convolution with batch normalisation instead.
    """

    def __init__(self, in_channels, out_channels, stride=1):
        """Make the layers. No convolution has a bias: batch normalisation would take it off again.

        Args:
            in_channels: of x
            out_channels: of the result, and of what is between the two convolutions
            stride: of conv1 and of the shortcut; 2 halves the height and width. conv2's is 1.

        The grader reads these attributes, so keep the names:
            conv1, conv2: nn.Conv2d, 3x3, with padding 1
            bn1, bn2: nn.BatchNorm2d
            shortcut: nn.Identity(), if the result has x's shape (stride 1, as many channels); else
                nn.Sequential of a 1x1 nn.Conv2d with that stride, and an nn.BatchNorm2d
        """
        ### BEGIN SOLUTION
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )
        ### END SOLUTION

    def forward(self, x):
        """Compute the block's output; the second relu comes after the addition.

        Args:
            x: tensor of shape (N, in_channels, H, W), left as it was

        Returns:
            tensor of shape (N, out_channels, H', W'), with H' = (H - 1) // stride + 1, and W' alike

        Source: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", 2016
        """
        ### BEGIN SOLUTION
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))
        ### END SOLUTION
