"""The notebooks' pictures: they show once, return nothing, and can be read."""

import inspect
import itertools
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from cnnlab import plots

GREY = np.arange(12.0).reshape(3, 4)
NUMBERS = np.random.default_rng(0)
TOYS = NUMBERS.integers(0, 256, (16, 32, 32, 3), np.uint8)

# every function, as the notebook calls it, and at its limits
PICTURES = {
    "gallery": lambda: plots.gallery({"one": GREY, "two\nlines": GREY[None], "colour": [GREY] * 3}),
    "gallery, signed": lambda: plots.gallery({"a": -GREY, "b": GREY}, columns=1, signed=True),
    "gallery, true size": lambda: plots.gallery(
        {"49 wide": np.ones((49, 49)), "13 wide": np.ones((13, 13))}, true_size=True, title="sizes"
    ),
    "gallery of zeros": lambda: plots.gallery({"nothing": np.zeros((4, 4))}, signed=True),
    "signals": lambda: plots.signals({"long": np.arange(9.0), "short": np.arange(5.0)}),
    "matrices": lambda: plots.matrices(
        {"a long title": GREY, "row": [1, np.nan, -2.5], "b": [[-0.0]]},
        boxes={"a long title": [plots.Box(0, 1, 2, 2), plots.Box(2, 3, colour=5)]},
        signs="*→",
    ),
    "grids": lambda: plots.grids(7, 3, {"stride 1": [0, 1, 2], "stride 3": [0, 3, 6]}),
    "places": lambda: plots.places(
        7, 3, {"stride 1": [0, 1, 2, 3, 4], "stride 2": [0, 2, 4], "stride 3": [0, 3, 6]}
    ),
    "places, padded": lambda: plots.places(5, 3, {"pad 1": [0, 1, 2, 3, 4]}, pad=1),
    "layer": lambda: plots.layer((3, 32, 32), (3, 5, 5), (10, None, None)),
    "layer, all known": lambda: plots.layer((3, 32, 32), (3, 5, 5), (10, 32, 32)),
    "stacks": lambda: plots.stacks(
        {"two layers": [[0, 1, 2, 3, 4], [1, 2, 3], [2]], "one layer": [[0, 1, 2], [1]]}
    ),
    "neuron": lambda: plots.neuron([1, 2, 0, 0, 1, 3, 2, 0, 1], [1, 0, -1, 0, 2, 0, 0, 0, 1], 1),
    "shared_weights": lambda: plots.shared_weights(inputs=7, kernel=3),
    "hand_back": lambda: plots.hand_back([1, 0, 3], [2, -1], [2, -1, 6, -3]),
    "sheet": lambda: plots.sheet(TOYS, columns=8, row_names=["red and turquoise star", "a ring"]),
    "sheet, framed and titled": lambda: plots.sheet(
        TOYS[:11], titles=[f"{n} → 9" for n in range(11)], right=[None, True, False] * 3
    ),
    "templates": lambda: plots.templates(
        NUMBERS.standard_normal((3072, 10)), ["house with a turquoise roof"] * 9 + ["ship"]
    ),
    "patches": lambda: plots.patches(NUMBERS.standard_normal((31, 108)), 6, title="words"),
    "patches, the first apart": lambda: plots.patches(
        NUMBERS.standard_normal((31, 108)), 6, columns=16, title="words", apart=1
    ),
    "regions, marked": lambda: plots.regions(
        {"a": lambda p: (p[:, 0] > 0).astype(int), "b": lambda p: np.full(len(p), 2)},
        NUMBERS.standard_normal((20, 2)),
        np.arange(20) % 3,
        marks={"a": NUMBERS.standard_normal((3, 2))},
    ),
    "hue_histograms": lambda: plots.hue_histograms(TOYS[:4], NUMBERS.random((4, 20))),
    "hue_histograms of one": lambda: plots.hue_histograms(TOYS[:1], np.zeros((1, 6))),
    "hog_glyphs": lambda: plots.hog_glyphs(
        {"a": TOYS[0], "b": TOYS[1]}, {"a": NUMBERS.random((8, 8, 9)), "b": np.zeros((4, 4, 6))}
    ),
    "memory": lambda: plots.memory({"x": GREY, "x.T": GREY.T, "a copy": GREY.T.reshape(2, 6)}),
    "product": lambda: plots.product({"w_rows": (10, 75), "cols": (75, 1024), "out": (10, 1024)}),
    "times": lambda: plots.times(
        {"a long name of a function": {1: 0.03, 64: 4.0}, "torch": {1: 0.02}}, "side", {1: 0.01}
    ),
    "times, close together": lambda: plots.times({"one": {1: 0.03, 2: 0.04}}, "images at a time"),
    "roofline": lambda: plots.roofline(
        8e9, 1e10, {"1x1": (0.2, 1e9), "5x5, 3 to 10 (lecture)": (50.0, 6e9)}
    ),
    "roofline, in pairs": lambda: plots.roofline(
        8e9,
        1e10,
        {f"{k}, batch {n}": (k * n**0.1, 1e9 * k * n**0.1) for k in (1, 3, 7) for n in (1, 128)},
        pairs=True,
    ),
    "regions": lambda: plots.regions(
        {"left": lambda p: (p[:, 0] > 0).astype(int), "all 2": lambda p: np.full(len(p), 2)},
        NUMBERS.standard_normal((30, 2)),
        np.arange(30) % 3,
    ),
    "losses": lambda: plots.losses({"one": np.exp(-np.arange(99.0)), "short": [2.0, 1.0]}),
    "results_table": lambda: plots.results_table(
        np.array([[0.1, 0.99], [np.nan, 0.5]]), np.ones((2, 2)), ["pixels", "HoG"], ["linear", "k"]
    ),
    "results_chart": lambda: plots.results_chart(
        NUMBERS.random((5, 3)), list("abcde"), ["nearest neighbours", "linear", "two layers"], 0.1
    ),
    "curves": lambda: plots.curves(
        {"a long name of a net": {-10: 30.0, 0: 70.0, 10: 31.0}, "linear": {-10: 12.0, 10: 9.0}},
        "moved by pixels",
        "accuracy in %",
        chance=10,
    ),
    "curves, logarithmic": lambda: plots.curves(
        {f"scale {n}": {0.5: 1e-6, 1.5: 1e6} for n in range(7)}, "layer", "size", logarithmic=True
    ),
    "moves": lambda: plots.moves(
        {"red and turquoise star": (TOYS[0], GREY[:, :3] / 11), "ring": (TOYS[1], np.eye(3))},
        [-8, 0, 8],
    ),
    "moves of one": lambda: plots.moves({"ring": (TOYS[1], np.ones((2, 2)))}, [-1, 1]),
    "ladder": lambda: plots.ladder(
        {"HoG + colour, linear": 0.65, "nothing": np.nan, "all": 1.0, "none": 0.0}, chance=0.1
    ),
    "bars": lambda: plots.bars(
        {"float32": 1.0, "bfloat16, channels last": 1.8, "compiled": np.nan},
        "times as fast",
        mark=1,
    ),
    "bars of nothing": lambda: plots.bars({"a": np.nan}, "times as fast"),
    "timeline": lambda: plots.timeline(
        {
            "one after the other": [
                ("loader", [(0, 3, "load"), (7, 10, "load")]),
                ("device", [(3, 7, "forward and backward"), (10, 14, "forward and backward")]),
            ],
            "many lanes": [("", [(0, 4, "a number")])] * 16,
        },
        "milliseconds",
    ),
    "timeline of one work": lambda: plots.timeline({"a": [("b", [(0, 1, "c")])]}, "seconds"),
    "threads": lambda: plots.threads(6, 7, 4, marked=((1, 0), (2, 3))),
    "threads, one block": lambda: plots.threads(2, 2, 2, marked=((0, 0), (1, 0))),
    "stacked": lambda: plots.stacked(
        {
            "batch 32": {"weights": 0.04, "gradients": 0.04, "activations": 1.3},
            "batch 128": {"weights": 0.04, "momentum": 0.04, "activations": 5.2},
        },
        "GB",
        limit=4,
    ),
    "taps": lambda: plots.taps(
        {
            "plain": {"size": 7, "kernel": 3},
            "pad 1": {"size": 7, "kernel": 3, "pad": 1},
            "stride 2": {"size": 7, "kernel": 3, "stride": 2},
            "dilation 2": {"size": 7, "kernel": 3, "dilation": 2},
        }
    ),
    "groups": lambda: plots.groups(
        {"groups=1": (4, 4, 1), "groups=2": (4, 4, 2), "groups=4: depthwise": (4, 4, 4)}
    ),
    "tape": lambda: plots.tape([("x", "3", "12"), ("x · x", "9", "2"), ("times 2", "18", "1")]),
    "ravine": lambda: plots.ravine(
        lambda x, y: x**2 + 20 * y**2,
        {"SGD": np.array([[-8.0, 1.5], [1.0, 9.0]]), "the start": np.array([[-8.0, 1.5]])},
    ),
    "filters": lambda: plots.filters(
        {"at first": NUMBERS.standard_normal((16, 3, 5, 5)), "grey": np.zeros((3, 1, 7, 7))}
    ),
    "activation_maps": lambda: plots.activation_maps(
        {"relu1: 3 x 8 x 8": NUMBERS.random((3, 8, 8)), "relu3": NUMBERS.random((40, 4, 4))}
    ),
    "confusions": lambda: plots.confusions(
        NUMBERS.integers(0, 99, (10, 10)), ["house with a turquoise roof"] * 10
    ),
    "confusions of nothing": lambda: plots.confusions(np.zeros((2, 2), int), ["cat", "dog"]),
}


@pytest.fixture
def shown(monkeypatch):
    """The figures that were shown, newest last."""
    figures = []

    def show():
        assert len(plt.get_fignums()) == 1
        figures.append(plt.gcf())
        FigureCanvasAgg(plt.gcf()).draw()

    monkeypatch.setattr(plt, "show", show)
    plt.close("all")
    yield figures
    plt.close("all")


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_shown_once_without_a_word(name, shown, capsys):
    settings = dict(plt.rcParams)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert PICTURES[name]() is None
    assert len(shown) == 1
    assert capsys.readouterr() == ("", "")
    assert dict(plt.rcParams) == settings


@pytest.mark.parametrize("name", PICTURES)
def test_all_words_can_be_read(name, shown):
    PICTURES[name]()
    (figure,) = shown
    words = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    assert words
    assert min(text.get_fontsize() for text in words) >= 10
    assert figure.get_size_inches()[0] <= 8.5  # wider ones are made smaller by the notebook
    boxes = [(text.get_text(), text.get_window_extent()) for text in words]
    for (first, a), (second, b) in itertools.combinations(boxes, 2):
        assert not a.padded(-0.5).overlaps(b.padded(-0.5)), f"{first!r} lies over {second!r}"


def test_every_function_has_a_picture_here_and_a_docstring():
    functions = {name for name in plots.__all__ if inspect.isfunction(getattr(plots, name))}
    assert functions == {name.split(",")[0].split(" of ")[0] for name in PICTURES}
    assert all(getattr(plots, name).__doc__ for name in functions)


def test_channels_first_becomes_a_colour_picture(shown):
    red = np.zeros((3, 2, 5))
    red[0] = 2  # brighter than bright: cut off
    plots.gallery({"red": red})
    pixels = shown[0].axes[0].images[0].get_array()
    assert pixels.shape == (2, 5, 3)
    assert (pixels == [1, 0, 0]).all()


def test_signed_images_share_one_scale_with_0_in_the_middle(shown):
    plots.gallery({"small": [[1.0, 0.0]], "large": [[-4.0, 2.0]]}, signed=True)
    limits = {ax.images[0].get_clim() for ax in shown[0].axes[:2]}
    assert limits == {(-4.0, 4.0)}


def test_grey_images_are_stretched_each_by_itself_or_all_alike(shown):
    for same_scale in (False, True):
        plots.gallery({"dark": [[0.0, 1.0]], "bright": [[2.0, 4.0]]}, same_scale=same_scale)
        plt.close("all")
    each, alike = ([ax.images[0].get_clim() for ax in figure.axes] for figure in shown)
    assert each == [(0, 1), (2, 4)]
    assert alike == [(0, 4), (0, 4)]


@pytest.mark.parametrize("shape", [(4,), (2, 4, 4), (1, 3, 4, 4)])
def test_what_is_no_image_is_refused(shape):
    with pytest.raises(ValueError, match=r"shape \(H, W\)"):
        plots.gallery({"?": np.zeros(shape)})


def test_the_hanging_window_is_marked(shown):
    plots.places(7, 3, {"stride 3": [0, 3, 6]})
    assert "hangs over the edge" in [text.get_text() for text in shown[0].axes[0].texts]


def test_what_leaves_the_ravine_is_cut_off_and_the_star_is_at_the_lowest_place(shown):
    path = np.array([[-8.0, 1.5], [4.0, 700.0]])
    plots.ravine(lambda x, y: (x - 2) ** 2 + y**2, {"one": path, "other": path[:1]})
    for axes in shown[0].axes:
        assert np.abs(axes.get_ylim()).max() < 2
        assert axes.get_aspect() == 1
    *_, walked, start, star = shown[0].axes[0].lines
    np.testing.assert_array_equal(walked.get_xydata(), path)
    np.testing.assert_array_equal(start.get_xydata(), path[:1])
    np.testing.assert_allclose(star.get_xydata(), [[2, 0]], atol=0.05)


def test_filters_share_a_scale_with_0_grey(shown):
    w = np.zeros((2, 3, 5, 5))
    w[0, 0, 0, 0], w[1, 2] = -4, 2
    plots.filters({"two": w}, columns=2)
    pixels = shown[0].axes[0].images[0].get_array()
    assert pixels.shape == (5, 11, 3)
    np.testing.assert_allclose(pixels[0, 0], [0, 0.5, 0.5])
    np.testing.assert_allclose(pixels[:, 6:], np.broadcast_to([0.5, 0.5, 0.75], (5, 5, 3)))
    assert (pixels[:, 5] == 1).all()


def test_of_many_maps_the_strongest_are_shown_in_their_order(shown):
    maps = np.zeros((6, 2, 2))
    maps[:, 0, 0], maps[:, 1, 1] = [3, 9, 1, 7, 2, 8], -1
    maps[1, 0, 1], maps[3, 0, 1], maps[5, 0, 1] = 4, 3, 8  # half; half; all
    plots.activation_maps({"relu": maps}, columns=3, rows=1)
    assert shown[0].axes[0].get_title("left") == "relu, the 3 strongest"
    (sheet,) = [np.squeeze(axes.images[0].get_array()) for axes in shown[0].axes]
    assert sheet.shape == (2, 8)
    np.testing.assert_allclose(sheet[0], [1, 0.5, 1, 1, 0.5, 1, 1, 1])
    np.testing.assert_allclose(sheet[1, ::3], [0.1, 1 / 8, 1 / 9], atol=1e-9)


def test_the_title_says_nothing_where_all_maps_are_shown(shown):
    plots.activation_maps({"relu": np.ones((6, 2, 2))}, columns=3, rows=2)
    assert shown[0].axes[0].get_title("left") == "relu"


def test_moves_are_where_the_axes_say_and_as_bright_as_the_net_is_sure(shown):
    sure = np.array([[0.0, 0.5, 0.9], [0.2, 0.8, 1.0]] * 2)[:3]
    plots.moves({"ring": (TOYS[0], sure), "star": (TOYS[1], 0 * sure)}, [-2, 0, 2])
    for axes, expected in zip(shown[0].axes[1:4:2], (sure, 0 * sure), strict=True):
        (image,) = axes.images
        np.testing.assert_allclose(image.get_array(), 100 * expected)
        assert image.get_clim() == (0, 100)  # not stretched: black is 0% in all
        assert image.get_extent() == [-3, 3, 3, -3]  # the first row is a move up
        assert axes.lines[0].get_xydata().tolist() == [[0, 0]]


def test_bars_tell_their_numbers_and_a_gap_says_so(shown):
    plots.ladder({"a": 0.329, "b": np.nan, "c": 0.98}, chance=0.1, ours=1)
    axes = shown[0].axes[0]
    assert [text.get_text() for text in axes.texts] == ["32.9%", "not measured", "98.0%"]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([32.9, 0, 98])
    first, second, last = (bar.get_facecolor() for bar in axes.patches)
    assert first == second != last


def test_bars_of_ratios_tell_their_numbers_and_their_gaps(shown):
    plots.bars({"a": 1.0, "b": 2.345, "c": np.nan}, "times as fast", mark=1)
    axes = shown[0].axes[0]
    assert [text.get_text().strip() for text in axes.texts] == ["1", "2.35", "not measured"]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([1, 2.345, 0])
    assert list(axes.lines[0].get_xdata()) == [1, 1]


def test_the_same_work_has_one_colour_on_the_timeline(shown):
    plots.timeline(
        {"x": [("a", [(0, 2, "load"), (3, 4, "step")])], "y": [("b", [(1, 5, "step")])]}, "ms"
    )
    first, second = shown[0].axes
    load, step = first.patches
    (other,) = second.patches
    assert load.get_facecolor() != step.get_facecolor() == other.get_facecolor()
    assert (other.get_x(), other.get_width()) == (1, 4)
    assert first.get_xlim() == second.get_xlim()


def test_threads_without_a_number_are_crossed_out_and_the_marked_ones_place_is_worked_out(shown):
    plots.threads(6, 7, 4, marked=((1, 0), (2, 3)))
    axes = shown[0].axes[0]
    assert len(axes.lines) == 8 * 8 - 6 * 7
    assert all(line.get_xdata()[0] > 7 or line.get_ydata()[0] > 6 for line in axes.lines)
    words = axes.texts[-1].get_text()
    assert "1 · 4 + 2 = 6" in words and "0 · 4 + 3 = 3" in words
    assert "2 x 2 blocks" in words and "22 threads" in words
    assert any(patch.get_xy() == (6, 3) and patch.get_width() == 1 for patch in axes.patches)


def test_a_stacks_parts_add_up(shown):
    plots.stacked({"a": {"weights": 1.0, "activations": 2.0}}, "GB", limit=4)
    axes = shown[0].axes[0]
    assert [(bar.get_x(), bar.get_width()) for bar in axes.patches] == [(0, 1), (1, 2)]
    assert axes.texts[0].get_text().strip() == "3"


@pytest.mark.parametrize(
    "settings, out, touched",
    [
        ({"size": 7, "kernel": 3}, 5, {(0, 0), (1, 1), (2, 2)}),
        ({"size": 7, "kernel": 3, "stride": 2, "pad": 1}, 4, {(0, 0), (1, 1), (2, 2)}),
        ({"size": 7, "kernel": 3, "dilation": 2}, 3, {(0, 0), (2, 2), (4, 4)}),
    ],
)
def test_taps_stand_where_the_filter_touches(shown, settings, out, touched):
    plots.taps({"a": settings})
    axes = shown[0].axes[0]
    assert [text.get_text() for text in axes.texts] == ["a", f"{out} x {out} out"]
    first = [p for p in axes.patches if p.get_linewidth() == 1.6][: settings["kernel"] ** 2]
    places = {tuple(np.floor(patch.get_xy()).astype(int)) for patch in first}
    assert {place for place in places if place[0] == place[1]} == touched


def test_each_filter_sees_its_own_group(shown):
    plots.groups({"a": (4, 4, 2), "b": (4, 8, 4)})
    lines = [line for line in shown[0].axes[0].lines if len(line.get_xdata()) == 2]
    assert len(lines) == 4 * 2 + 8 * 1


def test_a_pair_of_points_under_the_roof_shares_its_colour_and_mark(shown):
    plots.roofline(
        8e9, 1e10, {"a1": (1, 1e9), "a2": (1, 2e9), "b1": (3, 3e9), "b2": (3, 1e9)}, True
    )
    points = shown[0].axes[0].lines[-4:]
    looks = [(p.get_color(), p.get_marker()) for p in points]
    assert looks[0] == looks[1] != looks[2] == looks[3]
    assert [p.get_fillstyle() for p in points] == ["none", "full"] * 2


def test_minus_zero_is_written_as_zero(shown):
    plots.matrices({"a": [[-0.0, -1.0]]})
    assert [text.get_text() for text in shown[0].axes[0].texts[:2]] == ["0", "−1"]


def test_the_rooflines_numbers_are_plain_and_its_words_apart(shown):
    plots.roofline(23e9, 9e9, {"1x1": (1.0, 2e9), "3x3": (2.8, 2.5e9), "5x5": (35.0, 17e9)})
    (figure,) = shown
    (axes,) = figure.axes
    ticks = [*axes.get_xticklabels(which="both"), *axes.get_yticklabels(which="both")]
    numbers = [tick.get_text() for tick in ticks if tick.get_text()]
    assert len(numbers) > 8 and all(float(number) > 0 for number in numbers)
    boxes = [text.get_window_extent() for text in axes.texts]
    points = [axes.transData.transform(line.get_xydata()[0]) for line in axes.lines[-3:]]
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:number])
        assert not any(box.contains(*point) for point in points)
