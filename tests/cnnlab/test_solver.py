"""The Solver: its steps by hand and by torch, what it keeps, and what stops it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from jupyter_client.manager import start_new_kernel
from numpy.testing import assert_allclose, assert_array_equal
from tqdm import tqdm

from cnnlab.architectures import conv, fc, max_pool
from cnnlab.augmentation import Flip, Shift
from cnnlab.schedules import Cosine
from cnnlab.solver import Solver
from cnnlab.weights import get_weights
from solutions.convnet import ConvNet
from solutions.linear_classifier import softmax_loss
from solutions.update_rules import adam, sgd, sgd_momentum

HERE = Path(__file__).parent


class Linear:
    """scores = X @ W + b, for images of one channel."""

    def __init__(self, features=2, classes=3, dtype=np.float64):
        self.params = {"W": np.zeros((features, classes), dtype), "b": np.zeros(classes, dtype)}

    def loss(self, X, y=None):
        rows = X.reshape(len(X), -1)
        scores = rows @ self.params["W"] + self.params["b"]
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        return loss, {"W": rows.T @ dscores, "b": dscores.sum(axis=0)}


def blobs(n=90, dtype=np.float64):
    """Three clouds in the plane, as images of 1x1x2 pixels."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    X = rng.normal(size=(n, 2)) + 3 * np.array([[0, 0], [1, 0], [0, 1]])[y]
    X, cut = X.reshape(n, 1, 1, 2).astype(dtype), 2 * n // 3
    return {"X_train": X[:cut], "y_train": y[:cut], "X_val": X[cut:], "y_val": y[cut:]}


def solver(model=None, data=None, **options):
    defaults = {"update_rule": sgd, "optim_config": {"learning_rate": 0.1}, "verbose": False}
    return Solver(model or Linear(), data or blobs(), **{**defaults, **options})


def test_steps_are_torchs_with_a_schedule_and_decay():
    rate, steps = 0.2, 6
    mine = solver(
        update_rule=sgd_momentum, optim_config={"learning_rate": rate, "momentum": 0.8},
        schedule=Cosine(warmup=0.4), lr_decay=0.5, batch_size=30, num_epochs=3,
    )  # fmt: skip
    mine.use_best = lambda: None  # keep the last weights
    mine.train()
    # the same orders, by hand
    data, rng = blobs(), np.random.default_rng(0)
    orders = [rng.permutation(60) for _ in range(3)]
    W = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    b = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([W, b], lr=1.0, momentum=0.0)
    velocity = [0, 0]
    for step in range(steps):
        rows = orders[step // 2][step % 2 * 30 :][:30]
        X, y = (torch.tensor(data[f"{n}_train"][rows]) for n in "Xy")
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(X.reshape(30, 2) @ W + b, y)
        loss.backward()
        assert mine.loss_history[step] == pytest.approx(loss.item())
        progress = (step + 0.5) / steps
        falls = 0.5 * (1 + np.cos(np.pi * max(0, progress - 0.4) / 0.6))
        now = rate * 0.5 ** (step // 2) * falls * min(1, progress / 0.4)
        with torch.no_grad():
            for k, p in enumerate((W, b)):
                velocity[k] = 0.8 * velocity[k] - now * p.grad
                p += velocity[k]
    assert_allclose(mine.model.params["W"], W.detach().numpy(), atol=1e-12)
    assert_allclose(mine.model.params["b"], b.detach().numpy(), atol=1e-12)
    assert len(mine.loss_history) == mine.steps_done == steps


def test_it_learns_keeps_account_and_says_so(capsys, monkeypatch):
    monkeypatch.setattr("tqdm.auto.tqdm", tqdm)  # not a widget, whatever else runs in this process
    mine = solver(num_epochs=20, batch_size=20, verbose=True)
    mine.train()
    out, err = capsys.readouterr()
    assert err == ""
    assert "epoch 20 of 20: loss 0." in out and "60/60" in out
    assert len(mine.loss_history) == 60
    histories = (mine.train_acc_history, mine.val_acc_history, mine.seconds_history)
    assert [len(history) for history in histories] == [20, 20, 20]
    assert mine.loss_history[0] == pytest.approx(np.log(3))
    assert mine.val_acc_history[-1] > 0.85
    assert mine.best_val_acc == max(mine.val_acc_history)
    assert np.all(np.diff(mine.seconds_history) > 0)
    assert mine.epoch == 20


def test_the_best_weights_are_given_back():
    """a rate that grows beyond all measure ruins the net after a good start"""
    mine = solver(
        schedule=lambda p: 1.0 if p < 0.5 else -20.0, num_epochs=10, batch_size=60, verbose=False
    )
    mine.train()
    assert mine.val_acc_history[-1] < 0.5 < mine.best_val_acc
    assert mine.check_accuracy(mine.data["X_val"], mine.data["y_val"]) == mine.best_val_acc


def test_every_image_is_seen_once_an_epoch_in_a_new_order():
    seen = []

    class Notes(Linear):
        def loss(self, X, y=None):
            if y is not None:
                seen.append(X[:, 0, 0, 0].tolist())
            return super().loss(X, y)

    mine = solver(Notes(), batch_size=20, num_epochs=2)
    mine.train()
    all_images = sorted(mine.data["X_train"][:, 0, 0, 0])
    for epoch in (seen[:3], seen[3:]):
        assert sorted(value for batch in epoch for value in batch) == all_images
    assert seen[:3] != seen[3:]


def test_the_same_seed_gives_the_same_weights():
    one, other, third = (solver(seed=seed, batch_size=7) for seed in (1, 1, 2))
    for each in (one, other, third):
        each.train()
    assert_array_equal(one.model.params["W"], other.model.params["W"])
    assert not np.array_equal(one.model.params["W"], third.model.params["W"])


def test_augmentation_changes_the_batches_and_not_the_images():
    data = blobs()
    before = data["X_train"].copy()
    doubled = [lambda X, rng: 2 * X, lambda X, rng: X + 1]
    batches = []

    class Notes(Linear):
        def loss(self, X, y=None):
            batches.append(X)
            return super().loss(X, y)

    solver(Notes(), data, augment=doubled, batch_size=60, num_epochs=1).train()
    assert sorted(batches[0].ravel()) == pytest.approx(sorted(2 * before.ravel() + 1))
    assert_array_equal(data["X_train"], before)
    assert_array_equal(np.sort(batches[-1].ravel()), np.sort(data["X_val"].ravel()))


def test_left_over_images_sit_an_epoch_out_and_small_sets_are_one_batch():
    mine = solver(batch_size=50, num_epochs=2)
    assert mine.steps == 2
    assert solver(batch_size=1000, num_epochs=2).steps == 2
    mine.train()
    assert mine.steps_done == 2


# -- nets -----------------------------------------------------------------------------------------


def pictures(n=60):
    """Ten classes of noise, each with its own bright pixel."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 3, 8, 8)).astype(np.float32)
    y = np.arange(n) % 10
    X[np.arange(n), :, 2 + y % 5, 2 + y // 5] += 4
    cut = 2 * n // 3
    return {"X_train": X[:cut], "y_train": y[:cut], "X_val": X[cut:], "y_val": y[cut:]}


def convnet(**options):
    layers = [conv(8, 3), max_pool(2), fc(16)]
    return ConvNet(layers, (3, 8, 8), seed=0, **options)


def test_a_convnet_with_everything_learns_and_stays_float32():
    np.random.seed(0)
    net = convnet(batchnorm=True, dropout_keep_ratio=0.9, reg=1e-4)
    mine = solver(
        net, pictures(240), update_rule=adam, optim_config={"learning_rate": 5e-3},
        batch_size=20, num_epochs=12, schedule=Cosine(warmup=0.1),
    )  # fmt: skip
    mine.train()
    assert mine.best_val_acc > 0.7
    assert {array.dtype for array in get_weights(net).values()} == {np.dtype(np.float32)}
    remembered = [a for c in mine.optim_configs.values() for a in c.values() if np.ndim(a)]
    assert {array.dtype for array in remembered} == {np.dtype(np.float32)}


def test_float64_in_the_gradients_is_told_once_and_float32_stays(capsys):
    class Careless(Linear):
        def loss(self, X, y=None):
            result = super().loss(X, y)
            return (
                result
                if y is None
                else (result[0], {n: np.float64(g) for n, g in result[1].items()})
            )

    mine = solver(Careless(dtype=np.float32), blobs(dtype=np.float32), num_epochs=2, verbose=True)
    mine.train()
    out = capsys.readouterr().out
    assert out.count("somewhere in the net float32 becomes float64") == 1
    assert mine.model.params["W"].dtype == np.float32


# -- interruptions --------------------------------------------------------------------------------


class StopAt:
    """Presses Ctrl-C after so many batches."""

    def __init__(self, step, times=1):
        self.step, self.times = step, times

    def __call__(self, solver):
        if solver.training and solver.steps_done == self.step:
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)


def full(checkpoint=None, watch=None, **options):
    """A solver with everything that has a state; NumPy's generator seeded for the dropout."""
    np.random.seed(3)
    net = convnet(batchnorm=True, dropout_keep_ratio=0.7, reg=1e-3)
    settings = {
        "update_rule": adam, "optim_config": {"learning_rate": 3e-3}, "batch_size": 8,
        "num_epochs": 4, "augment": (Flip(), Shift(1)), "schedule": Cosine(0.2), "lr_decay": 0.95,
        "verbose": True,
    }  # fmt: skip
    return solver(net, pictures(), checkpoint=checkpoint, watch=watch, **{**settings, **options})


def state(solver):
    """All that training changes, as arrays."""
    arrays = {f"weights/{n}": a for n, a in get_weights(solver.model).items()}
    arrays |= {f"best/{n}": a for n, a in solver.best_weights.items()}
    for name, config in solver.optim_configs.items():
        arrays |= {f"config/{name}/{key}": np.asarray(value) for key, value in config.items()}
    arrays |= {n: np.array(getattr(solver, n)) for n in ("loss_history", "val_acc_history")}
    return arrays | {"train": np.array(solver.train_acc_history), "best": solver.best_val_acc}


def assert_same_state(one, other):
    mine, theirs = state(one), state(other)
    assert mine.keys() == theirs.keys()
    for name, array in mine.items():
        assert_array_equal(array, theirs[name], strict=True, err_msg=name)


@pytest.mark.parametrize("stop", [1, 3, 5, 7, 10, 19])
def test_interrupted_and_resumed_is_uninterrupted_to_the_last_bit(tmp_path, stop):
    """5 batches an epoch: in the middle of one, at its end, before the first and in the last"""
    whole = full()
    whole.train()
    first = full(tmp_path / "a.npz", watch=StopAt(stop))
    first.train()
    assert first.steps_done == stop
    np.random.seed(99)  # whatever happened in between
    second = full(tmp_path / "a.npz")
    np.random.random(5)
    assert second.resume()
    assert second.steps_done == stop
    assert_same_state(first, second)
    second.train()
    assert_same_state(whole, second)


def test_training_goes_on_in_the_same_solver_too():
    whole, parts = full(), full(watch=StopAt(7))
    np.random.seed(3)
    whole.train()
    np.random.seed(3)
    parts.train()
    assert parts.steps_done == 7
    parts.train()
    assert_same_state(whole, parts)


def test_stopping_keeps_what_was_learned_and_says_so(tmp_path, capsys):
    mine = full(tmp_path / "a.npz", watch=StopAt(7), verbose=True)
    mine.train()
    out, err = capsys.readouterr()
    assert "Stopped after 7 of 20 batches (1.4 epochs). The net keeps what it has learned" in out
    assert f"saved in {tmp_path / 'a.npz'}" in out and "use_best()" in out
    assert err == ""
    assert not np.array_equal(mine.model.params["W1"], mine.best_weights["W1"])
    mine.use_best()
    assert_array_equal(mine.model.params["W1"], mine.best_weights["W1"])
    mine.train()
    assert "Going on after 7 of 20 batches" in capsys.readouterr().out


def test_a_second_ctrl_c_stops_at_once_and_keeps_whole_weights(tmp_path, capsys):
    mine = full(tmp_path / "a.npz", watch=StopAt(7, times=2), verbose=True)
    mine.train()
    out = capsys.readouterr().out
    assert "Stopped after 7 of 20" in out and "saved" not in out
    assert mine.steps_done == 7 == len(mine.loss_history)
    again = full(tmp_path / "a.npz")
    assert again.resume() and again.steps_done == 5  # the epoch's end


def test_a_stop_ends_the_loop_around_a_silent_training_too(tmp_path, capsys):
    tried = []
    with pytest.raises(KeyboardInterrupt, match="Stopped after 7 of 20 batches"):
        for path in (tmp_path / "a.npz", tmp_path / "b.npz"):
            tried.append(full(path, watch=StopAt(7), verbose=False))
            tried[-1].train()
    assert len(tried) == 1 and tried[0].steps_done == 7 and not tried[0].training
    assert capsys.readouterr().out == ""
    whole, again = full(), full(tmp_path / "a.npz")
    np.random.seed(3)
    whole.train()
    assert again.resume()
    again.train()
    assert_same_state(whole, again)


def test_where_nothing_is_left_to_train_it_says_so(capsys):
    mine = solver(num_epochs=2, verbose=True)
    mine.train()
    assert "Nothing is left" not in capsys.readouterr().out
    before = get_weights(mine.model)
    mine.train()
    assert "all 2 epochs are over. To train on, make a new Solver" in capsys.readouterr().out
    assert mine.steps_done == mine.steps
    for name, array in get_weights(mine.model).items():
        assert_array_equal(array, before[name])


def test_a_kill_leaves_the_last_whole_checkpoint(tmp_path):
    """kill -9 at any moment: here while the file is written"""
    path = tmp_path / "a.npz"
    code = f"""
import os, sys
sys.path[:0] = {[str(HERE.parents[1]), str(HERE)]!r}
import test_solver
writes, replace = [0], os.replace
def replace_or_die(*names):
    writes[0] += 1
    if writes[0] == 3:
        os.kill(os.getpid(), 9)
    replace(*names)
os.replace = replace_or_die
test_solver.full({str(path)!r}).train()
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    whole, resumed = full(), full(path)
    np.random.seed(3)
    whole.train()
    assert resumed.resume() and resumed.steps_done == 10
    resumed.train()
    assert_same_state(whole, resumed)


# -- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
def test_a_loss_that_explodes_is_stopped_with_advice_and_the_best_weights():
    mine = solver(schedule=lambda p: 1.0 if p < 0.5 else np.inf, num_epochs=4, batch_size=20)
    with pytest.raises(FloatingPointError, match=r"after \d+ batches.*try a third of it"):
        mine.train()
    assert np.isfinite(mine.model.params["W"]).all()
    assert mine.check_accuracy(mine.data["X_val"], mine.data["y_val"]) == mine.best_val_acc


@pytest.mark.parametrize(
    "options, words",
    [
        ({"update_rule": "adam"}, "has to be a function, such as adam, not 'adam'"),
        ({"optim_config": {}}, "needs a learning rate"),
        ({"checkpoint": "net.pkl"}, "has to end in .npz: not net.pkl"),
        ({"batch_size": 0}, "batch_size has to be at least 1, not 0"),
        ({"data": {**blobs(), "y_val": np.zeros(3, int)}}, "X_val holds 30 images and y_val 3"),
    ],
)
def test_arguments_that_cannot_be_are_told(options, words):
    with pytest.raises(ValueError, match=words):
        solver(**options)


def test_gradients_that_do_not_fit_are_told():
    class Wrong(Linear):
        change = staticmethod(lambda grads: grads)

        def loss(self, X, y=None):
            result = super().loss(X, y)
            return result if y is None else (result[0], self.change(result[1]))

    model = Wrong()
    model.change = lambda grads: {"W": grads["W"]}
    with pytest.raises(ValueError, match="Only one of the two has: b"):
        solver(model).train()
    model.change = lambda grads: {**grads, "W": grads["W"].T}
    with pytest.raises(ValueError, match=r"gradient of W has shape \(3, 2\), but W \(2, 3\)"):
        solver(model).train()


def test_using_the_best_needs_an_epoch():
    with pytest.raises(ValueError, match="no epoch is over yet"):
        solver().use_best()


@pytest.mark.slow
def test_the_stop_button_of_a_notebook_keeps_what_was_trained():
    """in a real kernel: the cell ends without an error, and the next one sees the trained net"""
    code = f"""
import sys
sys.path[:0] = {[str(HERE.parents[1]), str(HERE)]!r}
import test_solver
mine = test_solver.solver(num_epochs=10**6, verbose=True)
print("ready", flush=True)
mine.train()
"""
    manager, client = start_new_kernel(env={**os.environ, "TQDM_DISABLE": "1"})
    try:
        client.execute(code)
        said, pressed = "", False
        while True:
            message = client.get_iopub_msg(timeout=60)
            assert message["msg_type"] != "error", message["content"]
            said += message["content"].get("text", "")
            if "epoch" in said and not pressed:
                manager.interrupt_kernel()
                pressed = True
            if pressed and message["content"].get("execution_state") == "idle":
                break
        assert "Stopped after" in said and "train() goes on from here" in said
        reply = client.execute_interactive("assert mine.steps_done > 0", timeout=60)
        assert reply["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
