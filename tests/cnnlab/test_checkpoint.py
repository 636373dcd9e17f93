"""Checkpoints: what they refuse. (That they resume exactly stands in test_solver.py.)"""

import errno

import numpy as np
import pytest
from test_solver import Linear, StopAt, blobs, solver

from cnnlab import checkpoint
from cnnlab.checkpoint import CheckpointError
from cnnlab.parallel import DataParallel
from cnnlab.schedules import Cosine
from solutions.update_rules import adam


def stopped(path, **options):
    settings = {"batch_size": 20, "num_epochs": 5, "verbose": True, **options}
    mine = solver(checkpoint=path, watch=StopAt(3), **settings)
    mine.train()
    return path


@pytest.mark.parametrize(
    "other, words",
    [
        ({"batch_size": 10}, "batch_size = 20; this solver has 10"),
        ({"num_epochs": 6}, "num_epochs = 5; this solver has 6"),
        ({"update_rule": adam}, "update_rule = sgd; this solver has adam"),
        ({"schedule": Cosine(0.1)}, "schedule = Constant"),
        ({"seed": 1}, "seed = 0; this solver has 1"),
        ({"optim_config": {"learning_rate": 0.2}}, "optim_config = .*0.1.*0.2"),
        ({"data": blobs(60)}, "X_train = .*60.*40"),
        ({"data": {**blobs(), "y_train": np.zeros(60, int)}}, "y_train"),
        ({"model": Linear(classes=4)}, "W has the shape"),
        ({"model": DataParallel(Linear(), 2)}, "workers = 1; this solver has 2"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(tmp_path, other, words):
    path = stopped(tmp_path / "a.npz")
    mine = solver(**{"checkpoint": path, "batch_size": 20, "num_epochs": 5, **other})
    with pytest.raises(CheckpointError, match=words):
        mine.resume()
    assert mine.steps_done == 0 and not mine.loss_history


def test_a_damaged_file_is_told_and_nothing_is_changed(tmp_path):
    path = stopped(tmp_path / "a.npz")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"damaged.*delete it, and begin anew"):
        solver(checkpoint=path, batch_size=20, num_epochs=5).resume()
    np.savez(path, W=np.zeros(3))
    with pytest.raises(CheckpointError, match="no checkpoint of this version"):
        solver(checkpoint=path, batch_size=20, num_epochs=5).resume()


def test_without_a_file_it_begins_anew(tmp_path):
    assert not solver(checkpoint=tmp_path / "none.npz").resume()
    with pytest.raises(ValueError, match="say where"):
        solver().resume()


def test_what_an_update_rule_remembers_comes_back_with_its_type(tmp_path):
    def rule(w, dw, config):
        kept = {
            "array": np.arange(3),
            "double": np.float64(0.1),
            "t": 7,
            "note": "hi",
            "none": None,
        }
        return w - config["learning_rate"] * dw, {**config, **kept}

    mine = solver(checkpoint=tmp_path / "a.npz", watch=StopAt(3), update_rule=rule, verbose=True)
    mine.train()
    other = solver(checkpoint=tmp_path / "a.npz", update_rule=rule)
    assert other.resume()
    config = other.optim_configs["W"]
    assert type(config["double"]) is np.float64 and config["t"] == 7
    assert config["note"] == "hi" and config["none"] is None
    assert config["array"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("why", ["a folder that is not there", "a folder of somebody else's"])
def test_a_folder_that_cannot_be_written_is_told_before_the_first_batch(tmp_path, why, monkeypatch):
    folder = tmp_path / "elsewhere"
    if "somebody" in why:
        folder.mkdir()

        def refuses(dir):
            raise PermissionError(errno.EACCES, "Permission denied", str(dir))

        # who runs the tests may be allowed to write everywhere
        monkeypatch.setattr(checkpoint.tempfile, "TemporaryFile", refuses)
    mine = solver(checkpoint=folder / "a.npz", num_epochs=1)
    with pytest.raises(CheckpointError, match=r"a\.npz cannot be written in .*elsewhere: "):
        mine.train()
    assert mine.steps_done == 0 and not mine.training


def test_what_cannot_be_saved_is_told(tmp_path):
    def rule(w, dw, config):
        return w, {**config, "trace": [1, 2]}

    mine = solver(checkpoint=tmp_path / "a.npz", update_rule=rule, num_epochs=1)
    with pytest.raises(CheckpointError, match="the config of W holds a list under 'trace'"):
        mine.train()
