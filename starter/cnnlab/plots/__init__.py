"""The notebooks' pictures. Each function draws what it is given, and shows it.

style.py       colours, sizes, and what all pictures have in common
images.py      images and signals side by side
numbers.py     small matrices with their numbers, and boxes around parts of them
windows.py     where a filter fits along one side; a layer's boxes of numbers
receptive.py   stacks of layers, and what one output sees
neuron.py      one output as a neuron; shared weights; gradients handed back

Nothing in here convolves or pools: the numbers come from your own functions.
"""

from cnnlab.plots.images import gallery, signals
from cnnlab.plots.neuron import hand_back, neuron, shared_weights
from cnnlab.plots.numbers import Box, matrices
from cnnlab.plots.receptive import stacks
from cnnlab.plots.windows import grids, layer, places

__all__ = [
    "Box",
    "gallery",
    "grids",
    "hand_back",
    "layer",
    "matrices",
    "neuron",
    "places",
    "shared_weights",
    "signals",
    "stacks",
]
