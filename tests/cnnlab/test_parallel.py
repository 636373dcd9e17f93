"""A batch in parts: the same loss, gradients and averages, and as repeatable."""

import threading

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from test_solver import assert_same_state, convnet, pictures, solver

from cnnlab.parallel import DataParallel
from cnnlab.weights import get_weights
from solutions.update_rules import sgd_momentum

data = pictures()
X, y = data["X_train"][:12], data["y_train"][:12]


@pytest.mark.parametrize("workers", [1, 2, 3, 5, 40])
def test_without_normalisation_it_is_the_net(workers):
    net = convnet(reg=0.1, dtype=np.float64)
    (loss, grads), scores = net.loss(X, y), net.loss(X)
    parts = DataParallel(net, workers)
    together, averaged = parts.loss(X, y)
    assert together == pytest.approx(loss, rel=1e-12)
    assert averaged.keys() == grads.keys()
    for name, gradient in grads.items():
        assert_allclose(averaged[name], gradient, atol=1e-12)
    assert_allclose(parts.loss(X), scores, atol=1e-12)


def test_the_parts_run_in_threads_of_their_own():
    seen = set()

    class Notes:
        params: dict = {}  # noqa: RUF012

        def loss(self, X, y=None):
            barrier.wait(10)  # both at the same time, or never
            seen.add(threading.get_ident())
            return X[:, 0]

    barrier = Notes.barrier = threading.Barrier(2)
    assert_array_equal(DataParallel(Notes(), 2).loss(np.eye(4)), [1, 0, 0, 0])
    assert len(seen) == 2


def test_running_averages_are_those_of_the_parts():
    net = convnet(batchnorm=True)
    halves = [convnet(batchnorm=True) for _ in range(2)]
    for half, part in zip(halves, (slice(6), slice(6, 12)), strict=True):
        half.loss(X[part], y[part])
    DataParallel(net, 2).loss(X, y)
    for which in ("running_mean", "running_var"):
        expected = np.mean([half.bn_params[0][which] for half in halves], axis=0)
        assert_allclose(net.bn_params[0][which], expected, rtol=1e-6)


def test_testing_uses_the_averages_and_new_weights():
    net, other = convnet(batchnorm=True), convnet(batchnorm=True)
    parts = DataParallel(net, 2)
    parts.loss(X, y)
    other.bn_params[0].update({k: v for k, v in net.bn_params[0].items() if k != "mode"})
    assert_allclose(parts.loss(X), other.loss(X), rtol=1e-5, atol=1e-6)
    net.params = {name: 2 * array for name, array in net.params.items()}
    assert_allclose(parts.loss(X), net.loss(X), rtol=1e-5, atol=1e-6)


def test_it_trains_repeats_and_resumes(tmp_path):
    def make(checkpoint=None, epochs=4):
        net = DataParallel(convnet(batchnorm=True, reg=1e-3), 2)
        return solver(
            net, data, update_rule=sgd_momentum, optim_config={"learning_rate": 0.02},
            batch_size=10, num_epochs=epochs, checkpoint=checkpoint,
        )  # fmt: skip

    whole, first = make(), make(tmp_path / "a.npz")
    whole.train()
    for _ in range(6):
        first._step()
    first.save(tmp_path / "a.npz")
    second = make(tmp_path / "a.npz")
    assert second.resume() and second.steps_done == 6
    again = make()
    again.train()
    assert_same_state(whole, again)
    second.train()
    for name, array in get_weights(second.model).items():
        assert_array_equal(array, get_weights(whole.model)[name])
    weights = get_weights(whole.model)
    assert {array.dtype for array in weights.values()} == {np.dtype(np.float32)}
    assert_array_equal(weights["W1"], whole.model.model.params["W1"])


def test_less_than_one_worker_is_told():
    with pytest.raises(ValueError, match="at least 1, not 0"):
        DataParallel(convnet(), 0)
