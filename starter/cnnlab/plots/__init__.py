"""The notebooks' pictures. Each function draws what it is given, and shows it.

style.py       colours, sizes, and what all pictures have in common
images.py      images and signals side by side
numbers.py     small matrices with their numbers, and boxes around parts of them
windows.py     where a filter fits along one side; a layer's boxes of numbers
receptive.py   stacks of layers, and what one output sees
neuron.py      one output as a neuron; shared weights; gradients handed back
photographs.py many small colour images: sheets, templates, visual words
features.py    what a feature sees: hues, the directions of edges
results.py     regions in the plane, losses, one table for all, confusions
memory.py      arrays and the memory that they lie in; matrix products as boxes
speed.py       times against sizes; what the machine allows
training.py    a picture that changes while a net is trained
descent.py     the paths of update rules down a ravine
inside.py      the filters of a net, the maps that its layers make, and what a move changes
charts.py      lines, and bars of accuracies, times and ratios
settings.py    a convolution's stride, padding, dilation and groups
tape.py        values forward and gradients back, along a chain of steps
gpu.py         work along the clock, threads over an output, what fills a memory
tiles.py       small pictures on one sheet, for the others

Nothing in here convolves, pools or learns: the numbers come from your own functions.
"""

from cnnlab.plots.charts import bars, curves, ladder
from cnnlab.plots.descent import ravine
from cnnlab.plots.features import hog_glyphs, hue_histograms
from cnnlab.plots.gpu import stacked, threads, timeline
from cnnlab.plots.images import gallery, signals
from cnnlab.plots.inside import activation_maps, filters, moves
from cnnlab.plots.memory import memory, product
from cnnlab.plots.neuron import hand_back, neuron, shared_weights
from cnnlab.plots.numbers import Box, matrices
from cnnlab.plots.photographs import patches, sheet, templates
from cnnlab.plots.receptive import stacks
from cnnlab.plots.results import confusions, losses, regions, results_chart, results_table
from cnnlab.plots.settings import groups, taps
from cnnlab.plots.speed import roofline, times
from cnnlab.plots.tape import tape
from cnnlab.plots.training import TrainingPicture
from cnnlab.plots.windows import grids, layer, places

__all__ = [
    "Box",
    "TrainingPicture",
    "activation_maps",
    "bars",
    "confusions",
    "curves",
    "filters",
    "gallery",
    "grids",
    "groups",
    "hand_back",
    "hog_glyphs",
    "hue_histograms",
    "ladder",
    "layer",
    "losses",
    "matrices",
    "memory",
    "moves",
    "neuron",
    "patches",
    "places",
    "product",
    "ravine",
    "regions",
    "results_chart",
    "results_table",
    "roofline",
    "shared_weights",
    "sheet",
    "signals",
    "stacked",
    "stacks",
    "tape",
    "taps",
    "templates",
    "threads",
    "timeline",
    "times",
]
