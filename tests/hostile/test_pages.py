"""Every page that people open, in a real browser: nothing that a student wrote may run there.

Ours, nbgrader's feedback, and the Formgrader in a real Jupyter server, after a class was graded
that put every payload into everything that it controls.
"""

import http.server
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import nbformat
import nbgrader
import pytest
from nbgrader.api import Gradebook

from autograder import demo
from autograder.cohort import grade_class
from autograder.converter import why_refused

from .payloads import NAMES, OWNED, TERMINAL, markup

pytestmark = pytest.mark.slow
BIN = Path(sys.executable).parent
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
TOKEN = "a-token-of-the-test"
WRITTEN = "where_translation_breaks"
# what stands in on… attributes of the Formgrader's own templates
FORMGRADER = Path(nbgrader.__file__).parent / "server_extensions" / "formgrader"
NBGRADERS_OWN = {
    found
    for path in [*FORMGRADER.glob("templates/**/*"), *FORMGRADER.glob("static/js/*.js")]
    if path.is_file()
    for found in re.findall(r'\bon[a-z]+="([^"]*)"', path.read_text("utf-8"), re.I)
}
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
SVG = f'<svg xmlns="http://www.w3.org/2000/svg" onload="{OWNED}"><script>{OWNED}</script></svg>'
HANDED_IN = {
    "evil.html": f"<title>harmless</title><script>{OWNED}</script>",
    "evil.svg": SVG,
    "evil.xhtml": SVG,
}
LEGITIMATE = r"""**Bold**, `code < 1`, [a link](https://example.org/paper) and a picture:

![sketch](attachment:sketch.png)

| k | size |
|--:|-----:|
| 3 | 9 |

$$\frac{\partial L}{\partial w} < \sum_i x_i$$

```python
def f(x):
    return x
```
"""


class Canary:
    """A server that nothing may ask for anything."""

    def __init__(self):
        self.asked = asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                self.send_response(200)
                self.end_headers()

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def canary():
    canary = Canary()
    yield canary
    canary.server.shutdown()


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium here to open the pages in: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api").sync_playwright().start()
    chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    yield chromium
    chromium.close()
    playwright.stop()


# -- the class --------------------------------------------------------------------------------


def in_everything(assignment, right_answers, texts) -> nbformat.NotebookNode:
    """Every payload in every part of a notebook, beside right answers and one that fails."""
    lost = "avg_pool_backward_naive"
    raises = (
        f"import itertools\ntexts = itertools.cycle({texts!a})\ndef {lost}(dout, cache):\n"
        "    text = next(texts)\n    raise type(text.replace(chr(0), ''), (Exception,), {})(text)\n"
    )
    notebook = demo.fill_in(assignment, {**right_answers, lost: raises})
    shows = f"""
import sys
from IPython.display import display
for text in {texts!a}:
    print(text); print(text, file=sys.stderr)
"""
    kinds = [
        "text/html",
        "text/markdown",
        "image/svg+xml",
        "application/javascript",
        "text/latex",
        "text/plain",
        "application/vnd.jupyter.widget-view+json",
        "text/vnd.mermaid",
    ]
    new = [nbformat.v4.new_code_cell(shows)]
    for kind in kinds:
        new.append(
            nbformat.v4.new_code_cell(
                f"from IPython.display import display\nfor text in {texts!a}:\n    "
                f"display({{{kind!r}: text}}, raw=True, metadata={{{kind!r}: "
                "{'isolated': True}})"
            )
        )
    for text in texts:
        line = "".join(c if c.isprintable() else " " for c in text)
        new.append(nbformat.v4.new_code_cell(f"# {line}\nraise ValueError({text!a})"))
        new.append(nbformat.v4.new_markdown_cell(f"{text}\n\n# {text}\n\n* {text}\n\n> {text}"))
        new.append(nbformat.v4.new_raw_cell(text, metadata={"format": "text/html"}))
    notebook.cells[3:3] = new
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == WRITTEN:
            cell.source = (
                "\n\n".join(texts) + "\n\n[page](files/javascript:" + OWNED + ") [p](evil.html)"
            )
    return notebook


def with_a_written_answer(assignment, right_answers) -> nbformat.NotebookNode:
    notebook = demo.fill_in(assignment, right_answers)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == WRITTEN:
            cell.source = LEGITIMATE
            cell.attachments = {"sketch.png": {"image/png": PNG}}
    return notebook


@pytest.fixture(scope="module")
def graded(assignment, right_answers, canary, tmp_path_factory):
    texts = [*markup(canary.port).values(), *TERMINAL.values()]
    starter = demo.fill_in(assignment, {})
    names = [name.replace("/", "∕") for name in NAMES.values()]
    students = {name: starter for name in names if why_refused(name) is None}
    assert len(students) > 7
    students["in-everything"] = in_everything(assignment, right_answers, texts)
    students["writes"] = with_a_written_answer(assignment, right_answers)
    course = demo.write_course(tmp_path_factory.mktemp("pages") / "course", assignment, students)
    folder = course.folder("submitted", "in-everything", assignment)
    for name in names:
        (folder / name).write_text("a file")
        (folder / (name + "-link")).symlink_to("/does/not/exist")
    for name, text in HANDED_IN.items():
        (folder / name).write_text(text)
    result = grade_class(course, assignment)
    assert result.failures == {}
    return course, result


# the elements of a page that would do something, as text
ACTIVE = """own => [...document.querySelectorAll("*")].filter(e =>
    [...e.attributes].some(a => /^on/i.test(a.name) && !own.includes(a.value))
    || ["href", "src", "action", "formaction", "xlink:href", "data"].some(
        n => /^\\s*(javascript|vbscript|data:text)/i.test(e.getAttribute(n) || ""))
).map(e => e.outerHTML.slice(0, 200))"""

# -- looking ----------------------------------------------------------------------------------


class Look:
    """Opens pages, and notes all that a page did which a page of text would not do."""

    def __init__(self, browser, allowed=()):
        self.context = browser.new_context()
        self.allowed, self.elsewhere = allowed, set()
        self.context.route("**/*", self._ask)

    def _ask(self, route):
        url = route.request.url
        if url.startswith(("data:", "blob:", *self.allowed)) or url == self.url:
            route.continue_()
        else:
            self.elsewhere.add(urlsplit(url).netloc or url)
            route.abort()

    def __call__(self, url, settle=0.3):
        """The page, and what it did."""
        did, self.url = [], url
        self.elsewhere.clear()
        page = self.context.new_page()
        page.on("dialog", lambda dialog: (did.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("console", lambda m: did.append(f"console {m.text}") if "OWNED" in m.text else None)
        page.on("popup", lambda popup: did.append(f"popup {popup.url}"))
        page.on(
            "framenavigated", lambda f: did.append(f"went to {f.url}") if gone(f, url) else None
        )
        page.on("download", lambda d: did.append(f"download {d.url}"))
        page.goto(url, wait_until="load", timeout=60_000)
        page.wait_for_timeout(settle * 1000)
        if page.title() == "OWNED":
            did.append("title")
        did += page.evaluate(ACTIVE, list(NBGRADERS_OWN))
        return page, did


def gone(frame, url) -> bool:
    return frame.parent_frame is None and frame.url.split("#")[0].rstrip("/") not in (
        url.split("#")[0].rstrip("/"),
        "about:blank",
    )


def test_the_watch_sees_what_runs(browser, canary, tmp_path):
    """each way in which a page could give itself away, on a page that does"""
    bad = tmp_path / "bad.html"
    url = f"http://127.0.0.1:{canary.port}/control"
    for body, sign in {
        f"<script>{OWNED}</script>": "title",
        "<script>alert(1)</script>": "dialog",
        "<script>console.log('OWNED')</script>": "console",
        "<img src=x onerror=1>": "onerror",
        "<a href='javascript:1'>x</a>": "javascript",
        f"<meta http-equiv=refresh content='0;url=data:,x'><img src='{url}'>": "",
    }.items():
        bad.write_text(body)
        look = Look(browser)
        _, did = look(bad.as_uri())
        assert any(sign in what for what in did) if sign else look.elsewhere, body
    assert "control" not in str(canary.asked)  # it is stopped before it gets there


def test_nothing_runs_in_our_own_pages(graded, browser, canary, assignment):
    course, result = graded
    pages = sorted(course.root.glob(f"feedback/*/{assignment.name}/*.html"))
    assert len(pages) == len(result.reports)
    look = Look(browser)
    for path in [result.page, *pages]:
        page, did = look(path.as_uri(), settle=0.1)
        assert did == [], path
        assert look.elsewhere == set(), path
        assert page.locator("h1").count() == 1 and page.locator(".card").count() >= 1
        page.close()
    assert canary.asked == []


def test_links_on_the_class_page_lead_to_the_students_pages(graded, browser, assignment):
    _, result = graded
    page, _ = Look(browser)(result.page.as_uri())
    links = page.locator("table a").evaluate_all("all => all.map(a => [a.textContent, a.href])")
    assert {name for name, _ in links} == {r.student for r in result.reports}
    for name, link in links:
        path = Path(unquote(urlsplit(link).path))
        assert path.is_file() and path.parent.parent.name == name


@pytest.fixture(scope="module")
def feedback(graded, assignment):
    """nbgrader's feedback pages, which take the place of ours."""
    course, result = graded
    made = course.api.generate_feedback(assignment.name)
    assert made["success"], made
    return course, result


def test_nothing_runs_in_nbgraders_feedback(feedback, browser, canary, assignment):
    course, result = feedback
    pages = sorted(course.root.glob(f"feedback/*/{assignment.name}/{assignment.notebook}.html"))
    assert len(pages) == len(result.reports)
    look, elsewhere = Look(browser), set()
    for path in pages:
        page, did = look(path.as_uri())
        assert did == [], path
        elsewhere |= look.elsewhere
        page.close()
    assert elsewhere <= {"cdnjs.cloudflare.com"}  # nbconvert's own: MathJax, require.js, jQuery
    assert canary.asked == []


def check_written_answer(page):
    assert page.locator("strong", has_text="Bold").count() == 1
    assert page.locator("img").evaluate_all("all => all.some(i => i.naturalWidth > 0)")
    assert (
        page.get_by_role("link", name="a link").get_attribute("href") == "https://example.org/paper"
    )
    assert page.locator("td", has_text="9").count() >= 1
    assert r"\frac{\partial L}{\partial w}" in page.locator("body").text_content()
    assert page.locator(".highlight span.k", has_text="return").count() >= 1


def test_a_written_answer_is_rendered_in_the_feedback(feedback, browser, assignment):
    course, _ = feedback
    path = course.folder("feedback", "writes", assignment) / f"{assignment.notebook}.html"
    page, _ = Look(browser)(path.as_uri())
    check_written_answer(page)


# -- the Formgrader ---------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["in the course", "elsewhere"])
def formgrader(graded, request, tmp_path_factory):
    """A Jupyter server, started in the course's folder or above it: (its address, its log)."""
    course, _ = graded
    home = tmp_path_factory.mktemp("home")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = course.root if request.param == "in the course" else course.root.parent
    log = (home / "log").open("w")
    server = subprocess.Popen(
        [
            BIN / "jupyter",
            "server",
            "--no-browser",
            "--allow-root",
            f"--port={port}",
            "--ip=127.0.0.1",
            f"--IdentityProvider.token={TOKEN}",
            f"--ServerApp.root_dir={start}",
        ],
        cwd=start,
        env={
            **os.environ,
            "HOME": str(home),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(home / "run"),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        },
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api?token={TOKEN}", timeout=5)
                break
            except OSError:
                assert server.poll() is None, (home / "log").read_text()
                time.sleep(0.5)
        yield address, (f"?path={quote(str(course.root))}&" if start != course.root else "?")
    finally:
        server.terminate()
        server.wait(30)


def test_nothing_runs_in_the_formgrader(formgrader, graded, browser, canary, assignment):
    course, result = graded
    address, choose = formgrader
    with Gradebook(course.db_url) as gradebook:
        ids = {
            s.student.id: s.id
            for s in gradebook.notebook_submissions(assignment.notebook, assignment.name)
        }
    assert set(ids) == {r.student for r in result.reports}
    names = sorted(ids)
    look = Look(browser, allowed=[address])
    entry, _ = look(f"{address}/formgrader{choose}token={TOKEN}", settle=2)
    assert "manage_assignments" in entry.url
    where = [
        "manage_assignments",
        f"manage_submissions/{assignment.name}",
        "gradebook",
        f"gradebook/{assignment.name}",
        f"gradebook/{assignment.name}/{assignment.notebook}",
        "manage_students",
    ]
    for student, submission in ids.items():
        if choose != "?" and student not in ("in-everything", "writes", names[0]):
            continue  # how the server was started makes no difference between names
        where += [
            f"manage_students/{quote(student, safe='')}",
            f"manage_students/{quote(student, safe='')}/{assignment.name}",
            f"submissions/{submission}/",
        ]
    elsewhere = set()
    for path in where:
        page, did = look(f"{address}/formgrader/{path}", settle=0.6)
        assert did == [], path
        elsewhere |= look.elsewhere
        if path.startswith("manage_submissions"):
            page.locator("td.student-id", has_text="in-everything").wait_for()
            assert page.locator("td.student-id").count() == len(result.reports)
        if path == f"submissions/{ids['writes']}/":
            check_written_answer(page)
        if path.startswith("submissions/"):
            assert page.locator("input.score").count() > 0
        page.close()
    assert elsewhere <= {"cdnjs.cloudflare.com"}
    for name in HANDED_IN:
        page, did = look(f"{address}/formgrader/submissions/{ids['in-everything']}/{name}")
        assert did == [] or all("<svg" in what for what in did), name
        assert page.title() != "OWNED"
        page.close()
    assert canary.asked == []
