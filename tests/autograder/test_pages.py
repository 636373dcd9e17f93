"""nbgrader's pages: cleaned, escaped, and made in a time that does not run away.

That nothing executes in them is tested in a real browser: tests/hostile/test_pages.py.
"""

import html
import time

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from autograder.pages import MAX_HIGHLIGHTED, SafeHTMLExporter

BOMBS = {
    "brackets": "\\\\[" * 16_000,
    "tables": "|a|b\n|-|-\n" * 4_000,
    "divs": "<div>" * 9_000,
    "open formatting": "".join(f"<b title={i}><p>" for i in range(3_000)),
    "titles": "a\n=\n" * 9_000,
}


def page(*cells):
    return SafeHTMLExporter().from_notebook_node(new_notebook(cells=list(cells)))[0]


@pytest.mark.parametrize("what", BOMBS)
def test_markdown_that_takes_minutes_is_shown_as_it_is(what):
    begin = time.process_time()
    text = page(new_markdown_cell(BOMBS[what]))
    assert time.process_time() - begin < 5
    assert f"<pre>{html.escape(BOMBS[what][:5])}" in text


def test_many_cells_share_a_budget():
    cells = [new_markdown_cell("**word** " * 500), new_code_cell("x = 1\n" * 1000)] * 50
    text = page(*cells)
    assert 10 < text.count("<strong>word</strong>") / 500 < 40
    assert "<pre>**word** " in text and '<div class="highlight"><pre>x = 1' in text


@pytest.mark.parametrize("code", ["f'{" * 30_000, "def " * 30_000])
def test_code_that_takes_minutes_is_not_highlighted(code):
    begin = time.process_time()
    assert len(code) > MAX_HIGHLIGHTED
    assert f'<div class="highlight"><pre>{code[:30]}' in page(new_code_cell(code))
    assert time.process_time() - begin < 5


def test_outputs_that_take_minutes_are_shown_as_text():
    bomb = "".join(f"<b title={i}><p>" for i in range(250))
    begin = time.process_time()
    text = page(new_code_cell(outputs=[new_output("display_data", {"text/html": bomb})]))
    assert time.process_time() - begin < 5 and "&lt;b title=7&gt;" in text


def test_ordinary_cells_are_rendered_and_highlighted():
    table = "<table><tr><td>1</td></tr></table><script>alert(1)</script>"
    text = page(
        new_markdown_cell("**bold** and $x^2$ and [a link](https://example.org)"),
        new_code_cell(
            "def f(x): return x", outputs=[new_output("display_data", {"text/html": table})]
        ),
    )
    assert (
        "<strong>bold</strong>" in text and "x^2" in text and 'href="https://example.org"' in text
    )
    assert '<span class="k">def</span>' in text
    assert "<td>1</td>" in text and "alert(1)" not in text
