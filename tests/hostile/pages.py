"""Submissions that want to run in the browser, or the terminal, of who reads about them."""

from __future__ import annotations

import json

from .corpus import EVERYTHING, NOTHING, QUESTIONS, HandIn, but, case
from .payloads import NAMES, OWNED, TERMINAL, markup

LOST = "avg_pool_backward_naive"


def payloads(hand_in: HandIn) -> dict[str, str]:
    return {**markup(hand_in.around.tcp), **TERMINAL}


@case(deserves=EVERYTHING)
def in_sources(hand_in: HandIn):
    """Every payload in a comment, a text and a name of the answers and of own cells."""
    hand_in.solved()
    texts = list(payloads(hand_in).values())
    for number, question in enumerate(QUESTIONS):
        cell = hand_in.cells[question]
        cell.source += f"\n_payloads = {texts[number :: len(QUESTIONS)]!a}\n"
    for text in texts:
        comment = "".join(c if c.isprintable() else " " for c in text)
        hand_in.insert(3, f"# {comment}")
        hand_in.insert(3, f"# {text!r}\n_ = {text!r}")


@case(deserves=EVERYTHING)
def in_text_cells(hand_in: HandIn):
    """Every payload as a markdown cell and as a raw cell, whose format is HTML."""
    hand_in.solved()
    for text in payloads(hand_in).values():
        hand_in.insert(3, text, kind="markdown")
        hand_in.insert(3, text, kind="raw", metadata={"format": "text/html"})
        hand_in.insert(3, f"# {text}\n\n* {text}\n\n> {text}", kind="markdown")


@case(deserves=EVERYTHING)
def in_the_written_answer(hand_in: HandIn):
    """Every payload in the answer that a person reads, and attachments that are no pictures."""
    hand_in.solved()
    cell = hand_in.cells["where_translation_breaks"]
    cell.source = "\n\n".join(payloads(hand_in).values())
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' onload=\"{OWNED}\"/>"
    cell.attachments = {
        "a.svg": {"image/svg+xml": svg},
        "b.html": {"text/html": f"<script>{OWNED}</script>"},
        'c" onerror="' + OWNED: {"image/png": "aGk="},
        "d.png": {"image/png": f'aGk="><img src=x onerror={OWNED}>'},
    }
    cell.source += "\n\n![a](attachment:a.svg) ![b](attachment:b.html) ![d](attachment:d.png)"


@case(deserves=EVERYTHING)
def in_streams(hand_in: HandIn):
    """Every payload on stdout and on stderr, with colours around it."""
    hand_in.solved()
    texts = ascii(list(payloads(hand_in).values()))
    hand_in.before(
        "conv_cost",
        f"import sys\nfor text in {texts}:\n    print(text)\n    print(text, file=sys.stderr)\n"
        "    print('\\x1b[31;1m' + text + '\\x1b[0m')\n    print('\\x1b]8;;' + text + '\\x07x')",
    )


@case(deserves=EVERYTHING)
def in_displays(hand_in: HandIn):
    """Every payload as HTML, SVG, JavaScript, Markdown, LaTeX, JSON, a widget, an unknown type."""
    hand_in.solved()
    texts = ascii(list(payloads(hand_in).values()))
    kinds = [
        "text/html",
        "image/svg+xml",
        "application/javascript",
        "text/javascript",
        "text/markdown",
        "text/latex",
        "text/plain",
        "application/json",
        "application/pdf",
        "image/png",
        "image/jpeg",
        "application/vnd.jupyter.widget-view+json",
        "application/vnd.plotly.v1+json",
        "text/vnd.mermaid",
        "application/xhtml+xml",
        "TEXT/HTML",
        "text/html; charset=utf-7",
        f'x"><img src=x onerror={OWNED}>',
    ]
    for part in range(0, len(kinds), 3):  # a hundred outputs of a cell are kept
        hand_in.before(
            "conv_cost",
            "from IPython.display import display\n"
            f"for text in {texts}:\n    for kind in {kinds[part : part + 3]!r}:\n"
            "        display({kind: text}, raw=True, metadata={kind: {'isolated': True}})",
        )


@case(deserves=EVERYTHING)
def in_results(hand_in: HandIn):
    """Objects whose every representation is script, as the last value of a cell."""
    hand_in.solved().before(
        "conv_cost",
        f"""
class Shows:
    def _repr_html_(self): return "<script>{OWNED}</script>"
    def _repr_svg_(self): return '<svg onload="{OWNED}"></svg>'
    def _repr_javascript_(self): return "{OWNED}"
    def _repr_markdown_(self): return "[x](javascript:{OWNED})"
    def _repr_latex_(self): return "$\\\\href{{javascript:{OWNED}}}{{x}}$"
    def __repr__(self): return "<img src=x onerror={OWNED}>"
    def _ipython_display_(self):
        from IPython.display import Javascript, display
        display(Javascript("{OWNED}"))
        raise ValueError("<script>{OWNED}</script>")
Shows()
""",
    )
    hand_in.before("receptive_field", "Shows._ipython_display_ = None\nShows()")


@case(deserves=but(LOST))
def in_exceptions_of_functions(hand_in: HandIn):
    """Every payload as the text, the name and the line of an exception that a test gets to see."""
    hand_in.solved()
    texts = ascii(list(payloads(hand_in).values()))
    hand_in.cells[LOST].source = f"""
import itertools
texts = itertools.cycle({texts})
def {LOST}(dout, cache):
    text = next(texts)
    raise type(text.replace("\\0", ""), (Exception,), {{}})(text)  # <script>{OWNED}</script>
"""


@case(deserves=but(LOST))
def in_many_exceptions(hand_in: HandIn):
    """One exception with all payloads in its text, another one in each call."""
    hand_in.solved()
    texts = ascii(list(markup(hand_in.around.tcp).values()))
    hand_in.cells[LOST].source = f"""
texts = {texts}
def {LOST}(dout, cache):
    texts.append(texts.pop(0))
    raise ValueError("\\n".join(texts))
"""


@case(deserves=EVERYTHING)
def in_exceptions_of_cells(hand_in: HandIn):
    """Every payload in the traceback of a cell that fails, as text, name, note and line."""
    hand_in.solved()
    for number, text in enumerate(payloads(hand_in).values()):
        line = "".join(c if c.isprintable() else " " for c in text)
        hand_in.insert(
            3 + number,
            f"text = {text!a}\nerror = type('E' + text.replace(chr(0), ''), (Exception,), {{}})"
            f"(text)\nerror.add_note(text)\nraise error  # {line}",
        )


@case(deserves=but(LOST))
def in_type_names(hand_in: HandIn):
    """Results of classes whose names are script: the message says what kind of thing came back."""
    hand_in.solved()
    texts = ascii([t.replace("\0", "") for t in payloads(hand_in).values()])
    hand_in.cells[LOST].source = f"""
import itertools
texts = itertools.cycle({texts})
def {LOST}(dout, cache):
    return type(next(texts), (), {{}})()
"""


@case(deserves=but(LOST))
def in_results_that_are_text(hand_in: HandIn):
    """Payloads returned as text, as dict keys, in lists and as NumPy texts."""
    hand_in.solved()
    texts = ascii(list(payloads(hand_in).values()))
    hand_in.cells[LOST].source = f"""
import itertools
texts = itertools.cycle({texts})
def {LOST}(dout, cache):
    text = next(texts)
    return [text, {{text: text}}, [text] * 3, np.array([text]), np.str_(text)][len(text) % 5]
"""


@case(deserves=EVERYTHING, says="too long")
def in_the_first_line_of_what_hangs(hand_in: HandIn):
    """The autopsy quotes the first line of a cell that was stopped."""
    hand_in.solved().before("conv_cost", f"# <img src=x onerror={OWNED}>\nwhile True: pass")
    hand_in.before("receptive_field", "# [red]\x1b]0;OWNED\x07[/]\nimport os; os._exit(1)")


@case(deserves=EVERYTHING, says="not an ordinary file")
def in_file_names(hand_in: HandIn):
    """Links and pipes that are left out, with names that are markup: the autopsy tells them."""
    hand_in.solved()
    for name in NAMES.values():
        hand_in.link(name, "/etc/passwd")
        hand_in.fifo(f"pipe {name}")
        hand_in.file(f"folder {name}/file {name}.html", f"<script>{OWNED}</script>")


@case(deserves=EVERYTHING)
def in_names_of_ordinary_files(hand_in: HandIn):
    """Files that a program would copy, and name in its log, called by what a terminal obeys."""
    hand_in.solved()
    for number, text in enumerate(TERMINAL.values()):
        name = text.replace("/", "-").replace("\0", "")[:60]
        hand_in.file(f"{name}{number}.txt", "x")
    hand_in.file("a\nERROR | b.txt", "x")


@case(deserves=EVERYTHING)
def text_that_grows(hand_in: HandIn):
    """Markdown of 4 kB whose unclosed tags are opened again in each paragraph."""
    hand_in.solved()
    text = "".join(f"<b title={number}><p>" for number in range(250))
    hand_in.insert(3, text, kind="markdown")
    hand_in.cells["where_translation_breaks"].source = text


@case(deserves=EVERYTHING)
def pages_beside_it(hand_in: HandIn):
    """HTML, SVG and JavaScript files beside the notebook, by names that a browser opens."""
    hand_in.solved()
    script = f"<script>{OWNED}</script>"
    for name in ("index.html", "conv_layers.html", "style.css", "custom.js", "favicon.svg"):
        hand_in.file(name, script)
    hand_in.file("picture.svg", f'<svg xmlns="http://www.w3.org/2000/svg" onload="{OWNED}"/>')


@case(deserves=EVERYTHING)
def in_ids_and_metadata(hand_in: HandIn):
    """Cell ids, grade_ids, tags, kernel names, titles, authors and languages that are markup."""
    hand_in.solved()
    image = f"<img src=x onerror={OWNED}>"
    data = hand_in.data
    data["metadata"] = {
        "title": f"</title><script>{OWNED}</script>",
        "authors": [{"name": image}],
        "kernelspec": {"name": image, "display_name": image, "language": image},
        "language_info": {"name": image, "pygments_lexer": image, "codemirror_mode": image},
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {image: {}}}},
        "celltoolbar": image,
    }
    for number, cell in enumerate(data["cells"]):
        cell["id"] = f'{number}"><script>{OWNED}</script>'
        cell["metadata"]["tags"] = [f'"><script>{OWNED}</script>']
        cell["metadata"]["name"] = cell["metadata"]["title"] = image
        cell["metadata"].setdefault("nbgrader", {"grade_id": f"{number}{image}", "grade": False})
    hand_in.raw(data)


@case(deserves=EVERYTHING)
def outputs_of_its_own(hand_in: HandIn):
    """Outputs prepared in the file: script in every kind, none of which the grader made."""
    hand_in.solved()
    data = hand_in.data
    for cell in data["cells"]:
        if cell["cell_type"] == "code":
            kinds = {"text/html": f"<script>{OWNED}</script>", "application/javascript": OWNED}
            cell["outputs"] = [
                {"output_type": "display_data", "data": kinds, "metadata": {}},
                {
                    "output_type": "error",
                    "ename": "E",
                    "evalue": "",
                    "traceback": list(markup(hand_in.around.tcp).values()),
                },
            ]
        else:
            cell["attachments"] = {"x": {"text/html": f"<script>{OWNED}</script>"}}
    hand_in.raw(data)


@case(deserves=NOTHING, says="is not a notebook")
def in_what_is_no_notebook(hand_in: HandIn):
    """A file whose first bytes go into the message that says why it was not read."""
    hand_in.raw(f"<script>{OWNED}</script>\x1b]0;OWNED\x07[red]")


@case(deserves=NOTHING, says="is not a notebook")
def in_json_that_is_no_notebook(hand_in: HandIn):
    """JSON whose error message would quote it."""
    hand_in.raw(json.dumps({f"<script>{OWNED}</script>": 1})[:-1] + ', "\x1b]0;OWNED\x07": }')


def _named(name: str, student: str) -> None:
    @case(
        deserves=but(LOST),
        name=f"student_{name.replace('-', '_')}",
        student=student,
        refused=not student.isprintable(),
        says="" if student.isprintable() else "characters that no list can show",
    )
    def a_name_that_is_markup(hand_in: HandIn):
        """An honest notebook of somebody whose name is markup, or text that a terminal obeys."""
        hand_in.solved()
        hand_in.cells[LOST].source = f"def {LOST}(dout, cache):\n    return None\n"


for _name, _student in NAMES.items():
    _named(_name, _student)
