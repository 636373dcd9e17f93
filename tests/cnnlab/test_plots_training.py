"""The picture that changes while a net is trained: for any net, seldom enough, and in place."""

import base64
import io
import textwrap
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image
from test_solver import Linear, blobs, convnet, pictures, solver

from cnnlab.plots import TrainingPicture, training
from solutions.three_layer_convnet import ThreeLayerConvNet

HERE = Path(__file__).parent
PATHS = [str(HERE.parents[1]), str(HERE)]
NAMES = [f"a long name of class {n}" for n in range(10)]


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=float)


def panels(figure):
    """Each panel's title -> its axes."""
    return {axes.get_title("left"): axes for part in figure.subfigs for axes in part.axes}


def nets():
    yield convnet(batchnorm=True), pictures(), True
    yield ThreeLayerConvNet((3, 8, 8), 4, 3, 5, weight_scale=0.1), pictures(), False
    yield Linear(), blobs(), False


@pytest.mark.parametrize("net, data, has_maps", list(nets()), ids=lambda v: type(v).__name__)
def test_any_net_before_in_and_after_training(net, data, has_maps):
    mine = solver(net, data, num_epochs=2, batch_size=10)
    X, y = data["X_val"][:5], data["y_val"][:5]
    picture = TrainingPicture(X, y, NAMES) if X.shape[1] == 3 else TrainingPicture(
        X, y, NAMES, images=np.zeros((5, 8, 8, 3), np.uint8)
    )  # fmt: skip
    before = pixels(picture.png(mine))
    mine.train()
    after = pixels(picture.png(mine))
    assert before.shape == after.shape == (520, 820, 3)
    assert np.abs(after - before).mean() > 0.5
    assert ("what they find" in panels(picture.figure(mine))) == has_maps
    np.testing.assert_array_equal(after, pixels(picture.png(mine)))  # nothing random, no clock


def test_it_shows_what_is_so():
    mine = solver(convnet(), pictures(), num_epochs=3, batch_size=10)
    mine.train()
    data = mine.data
    figure = TrainingPicture(data["X_val"][:4], data["y_val"][:4], NAMES).figure(mine)
    found = panels(figure)
    train, val = found["accuracy in %"].lines
    assert val.get_ydata() == pytest.approx(100 * np.array(mine.val_acc_history))
    assert train.get_ydata() == pytest.approx(100 * np.array(mine.train_acc_history))
    assert found["loss"].lines[0].get_ydata() == pytest.approx(mine.loss_history)
    assert "8 filters" in found
    scores = mine.model.loss(data["X_val"][:4])
    likely = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    words = [text.get_text() for text in found["held for"].texts]
    for n in range(4):
        first = likely[n].argmax()
        assert words[3 * n] == f"{NAMES[first]} {100 * likely[n, first]:.0f}%"
    right = [t.get_text() for t in found["held for"].texts if t.get_fontweight() == "bold"]
    assert all(
        word.startswith(tuple(NAMES[label] for label in data["y_val"][:4])) for word in right
    )


def test_the_mean_of_the_losses_lies_in_their_middle():
    mine = solver(Linear(), blobs())
    mine.loss_history = list(np.linspace(3, 1, 200))  # a straight line is its own mean
    X, y = mine.data["X_val"][:3], mine.data["y_val"][:3]
    picture = TrainingPicture(X, y, NAMES, images=np.zeros((3, 8, 8, 3), np.uint8))
    losses = panels(picture.figure(mine))["loss"]
    each, mean = (line.get_xydata() for line in losses.lines)
    assert len(mean) < len(each)
    np.testing.assert_allclose(np.interp(mean[:, 0], *each.T), mean[:, 1])


def test_it_is_drawn_seldom_and_once_more_at_the_end(monkeypatch):
    shown, clock = [], [0.0]
    monkeypatch.setattr(training, "_in_a_notebook", lambda: True)
    monkeypatch.setattr(training.time, "monotonic", lambda: clock[0])
    mine = solver(Linear(), blobs(), num_epochs=1)
    picture = TrainingPicture(
        blobs()["X_val"][:3], np.zeros(3, int), NAMES, images=np.zeros((3, 2, 2, 3))
    )

    def draw(solver):
        clock[0] += 0.5  # drawing takes half a second
        return b""

    monkeypatch.setattr(picture, "png", draw)
    monkeypatch.setattr(picture, "_show", lambda png: shown.append(clock[0]))
    mine.training = True
    for _ in range(1000):
        clock[0] += 0.1
        picture(mine)
    assert 8 <= len(shown) <= 12  # 5% of 100 seconds
    mine.training = False
    picture(mine)
    assert shown[-1] == clock[0]


def test_in_a_terminal_nothing_is_shown(capsys):
    data = blobs()
    picture = TrainingPicture(
        data["X_val"][:3], data["y_val"][:3], NAMES, images=np.zeros((3, 2, 2, 3))
    )
    solver(Linear(), data, watch=picture, num_epochs=2).train()
    assert capsys.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("bars", ["0", "1"])
def test_in_a_notebook_one_picture_changes_in_place(monkeypatch, tmp_path, bars):
    """in a real kernel; nothing goes to stderr, with bars and without"""
    monkeypatch.setenv("TQDM_DISABLE", bars)
    code = """
    import sys
    sys.path[:0] = PATHS
    from test_solver import *
    from cnnlab.plots import TrainingPicture
    data = pictures()
    names = [str(n) for n in range(10)]
    picture = TrainingPicture(data["X_val"][:4], data["y_val"][:4], names, seconds=0)
    drawn, show = [], picture._show
    picture._show = lambda png: (drawn.append(png), show(png))
    Solver(convnet(), data, update_rule=sgd, optim_config={"learning_rate": 0.01}, batch_size=4,
           num_epochs=40, watch=picture, verbose=True).train()
    """
    count = nbformat.v4.new_code_cell("len(drawn), drawn[-1]")
    cells = [nbformat.v4.new_code_cell(textwrap.dedent(code).replace("PATHS", repr(PATHS))), count]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = notebook.cells[0].outputs
    pngs = [o for o in outputs if "image/png" in o.get("data", {})]
    assert len(pngs) == 1
    assert not [o for o in outputs if o.get("name") == "stderr"]
    drawn = eval(notebook.cells[1].outputs[0].data["text/plain"])
    assert drawn[0] >= 2
    assert base64.b64decode(pngs[0].data["image/png"]) == drawn[1]  # the last one
    text = "".join(o.text for o in outputs if o.output_type == "stream")
    assert "epoch 40 of 40" in text
