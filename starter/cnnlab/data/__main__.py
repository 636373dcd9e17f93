"""python -m cnnlab.data NAME [--from WHERE]: get a data set, and say what it holds."""

from __future__ import annotations

import argparse
import sys

import numpy as np

from cnnlab.data.errors import DataError
from cnnlab.data.loading import NAMES, VARIABLE, load


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m cnnlab.data",
        description="Download a data set, or check that it is there, and say what it holds.",
    )
    parser.add_argument("name", choices=NAMES)
    parser.add_argument(
        "--from",
        dest="source",
        metavar="WHERE",
        help="a folder with the official files, an official archive, or a mirror's address "
        f"(the environment variable {VARIABLE} says the same)",
    )
    options = parser.parse_args()
    try:
        dataset = load(options.name, source=options.source)
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Nothing unfinished is kept; the next call begins anew.", file=sys.stderr)
        return 130
    print(dataset)
    for label, name in enumerate(dataset.class_names):
        counts = [np.sum(y == label) for y in (dataset.y_train, dataset.y_val, dataset.y_test)]
        print(f"  {label}  {name:28}" + "".join(f"{count:8,}" for count in counts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
