"""The pictures to classify: ``load("toys")`` at once, ``load("cifar10")`` after one download.

dataset.py     what load returns, and its parts made smaller
prepare.py     mean image, standardisation, the channels' place
loading.py     load: by name, and from where
toys.py        the embedded set
cifar10.py     CIFAR-10: its files, in whichever form they come
batches.py     one file of CIFAR-10, binary or Python, as arrays
unpickle.py    the Python form, without running what a pickle can run
download.py    the archive: fetched once, checked, kept
registry.py    addresses and checksums, from registry.toml
errors.py      DataError

registry.toml and toys.png are copies of those in the course's datasets/ folder.
"""

from cnnlab.data.dataset import Dataset, split, subset
from cnnlab.data.errors import DataError
from cnnlab.data.loading import load
from cnnlab.data.prepare import (
    channel_statistics,
    for_training,
    mean_image,
    standardize,
    to_nchw,
)

__all__ = [
    "DataError",
    "Dataset",
    "channel_statistics",
    "for_training",
    "load",
    "mean_image",
    "split",
    "standardize",
    "subset",
    "to_nchw",
]
