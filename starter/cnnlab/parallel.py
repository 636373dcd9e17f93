"""A batch in parts, one for each core."""

from __future__ import annotations

import copy
import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from cnnlab.cores import usable_cores
from cnnlab.weights import RUNNING


class DataParallel:
    """A net that works on the parts of a batch at the same time; for Solver it is a net as well.

        Solver(DataParallel(net), data, ...).train()

    NumPy shares only matrix products among the cores. Everything else in a net (copies, ReLU,
    batch normalisation, pooling) runs on one core while the others wait. Here each core has its
    own images, from the first layer to the last, and the gradients are averaged, as the loss is a
    mean over images. Batch normalisation then normalises each part by itself.

    The results repeat to the last bit for the same number of workers, but for nets with dropout:
    the threads draw from one generator, in whichever order they come.

    Source of the normalisation in parts: Hoffer et al., "Train longer, generalize better"
    (arXiv:1705.08741), who found that it does no harm, rather good.
    """

    def __init__(self, model: Any, workers: int | None = None):
        """Make a copy of the net for each worker; all have the same params.

        Args:
            model: the net; its params and bn_params stay its own, and are trained.
            workers: how many parts; None: one for each core that
                this process may use.

        Raises:
            ValueError: workers is less than 1.
        """
        workers = usable_cores() if workers is None else workers
        if workers < 1:
            raise ValueError(f"workers has to be at least 1, not {workers}")
        self.model, self.workers = model, workers
        shared = {id(model.params): model.params}
        self._copies = [copy.deepcopy(model, dict(shared)) for _ in range(workers)]
        self._pool = ThreadPoolExecutor(workers)
        self._blas = ThreadpoolController()

    @property
    def params(self) -> dict[str, np.ndarray]:
        return self.model.params

    @property
    def bn_params(self) -> list[dict]:
        return getattr(self.model, "bn_params", [])

    def loss(self, X: np.ndarray, y: np.ndarray | None = None) -> Any:
        """What the net's own loss returns: (loss, grads), or the scores."""
        workers = min(self.workers, len(X))
        cuts = [len(X) * k // workers for k in range(workers + 1)]
        parts = [slice(*pair) for pair in itertools.pairwise(cuts)]
        copies = self._copies[:workers]
        self._hand_out()

        def work(net: Any, part: slice) -> Any:
            return net.loss(X[part]) if y is None else net.loss(X[part], y[part])

        with self._blas.limit(limits=1):  # a part for each core, and no threads beside them
            results = list(self._pool.map(work, copies, parts))
        if y is None:
            return np.concatenate(results)
        shares = [(part.stop - part.start) / len(X) for part in parts]
        self._collect(copies, shares)
        loss = sum(share * float(loss) for share, (loss, _) in zip(shares, results, strict=True))
        grads = {}
        for name in results[0][1]:
            grads[name] = shares[0] * results[0][1][name]
            for share, (_, others) in zip(shares[1:], results[1:], strict=True):
                grads[name] += share * others[name]
        return loss, grads

    def _hand_out(self) -> None:
        """Give all copies the net's own params and running averages."""
        for net in self._copies:
            net.params = self.model.params
            for mine, theirs in zip(self.bn_params, getattr(net, "bn_params", []), strict=True):
                theirs.update({which: mine[which] for which in RUNNING if which in mine})

    def _collect(self, copies: list[Any], shares: list[float]) -> None:
        """Average what the copies made of the running averages."""
        for number, mine in enumerate(self.bn_params):
            for which in RUNNING:
                averages = [net.bn_params[number].get(which) for net in copies]
                if averages[0] is not None:
                    mine[which] = sum(s * a for s, a in zip(shares, averages, strict=True))
