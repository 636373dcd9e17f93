"""nbgrader's own pages, its feedback and its Formgrader: nothing of a student's runs in them.

nbgrader puts a student's Markdown, name and files into pages as they are. Here its Markdown is
cleaned after it was rendered, its templates escape what is put into them, and a file that a student
handed in is served without the right to run scripts.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from typing import Any

from jinja2 import pass_context
from markupsafe import escape
from nbconvert.exporters import HTMLExporter
from nbgrader.server_extensions.formgrader.base import BaseHandler
from nbgrader.server_extensions.formgrader.handlers import SubmissionFilesHandler
from pygments.token import STANDARD_TYPES
from traitlets import Bool

from .markup import clean

# Characters of Markdown and of code in a cell, and of both in a page, that are rendered: that takes
# a time that grows with the square of the length. What is longer, which no person writes, is shown
# as it is.
MAX_RENDERED, MAX_HIGHLIGHTED, MAX_PAGE = 5_000, 20_000, 200_000
NAMES = ("student", "first_name", "last_name", "notebook_path")  # in the Formgrader's resources
PICTURE = re.compile(r"data:image/(png|jpeg|gif);base64,[A-Za-z0-9+/=\s]*")
LINK = re.compile(r"(https?://|mailto:|#)", re.I)  # no file of the student's, no script
# the colours of code; others could dress a text up as one of the page's own parts
CLASSES = {"span": {*STANDARD_TYPES.values()} - {""}, "div": {"highlight"}}


def clean_html(html: str | bytes) -> str:
    """HTML with its text, tables, links, mathematics and pasted pictures only."""
    if isinstance(html, bytes):  # as nbconvert's templates pass some
        html = html.decode("utf-8", "replace")
    cleaned = clean(
        html,
        url_schemes={"http", "https", "mailto", "data"},
        attribute_filter=_kept,
        allowed_classes=CLASSES,
    )
    return f"<pre>{escape(html)}</pre>" if cleaned is None else cleaned


def _kept(tag: str, attribute: str, value: str) -> str | None:
    if attribute == "src":  # a picture from elsewhere would tell who reads the page, when
        return value if PICTURE.fullmatch(value) else None
    if attribute in ("href", "cite"):
        return value if LINK.match(value) else None
    return value


class SafeHTMLExporter(HTMLExporter):
    """nbconvert's, for nbgrader's templates: they do not clean Markdown, nor escape names."""

    sanitize_html = Bool(True).tag(config=True)
    _rendered = 0  # characters of this page, so far

    @pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        if self._is_too_long(source, MAX_RENDERED):
            return f"<pre>{escape(source)}</pre>"
        return clean_html(super().markdown2html(context, source))

    def register_filter(self, name: str, jinja_filter: Any) -> Any:
        return super().register_filter(
            name, self._bounded(jinja_filter) if name == "highlight_code" else jinja_filter
        )

    def _bounded(self, highlight: Callable[..., str]) -> Callable[..., str]:
        def highlighted(source: str, *args: Any, **kwargs: Any) -> str:
            if self._is_too_long(source, MAX_HIGHLIGHTED):
                return f'<div class="highlight"><pre>{escape(source)}</pre></div>'
            return highlight(source, *args, **kwargs)

        return highlighted

    def _is_too_long(self, source: str, most: int) -> bool:
        self._rendered += len(source)
        return len(source) > most or self._rendered > MAX_PAGE

    def default_filters(self) -> Iterable[tuple[str, Any]]:
        yield from super().default_filters()
        yield "clean_html", clean_html  # not bleach, which takes hours for some 10 kB
        # nbgrader applies it last, and it makes javascript:x of the harmless files/javascript:x
        yield "strip_files_prefix", lambda html: html

    def from_notebook_node(self, nb: Any, resources: dict | None = None, **kw: Any) -> tuple:
        self._rendered = 0
        names = {name: escape(resources[name]) for name in NAMES if (resources or {}).get(name)}
        return super().from_notebook_node(nb, {**(resources or {}), **names}, **kw)


def install() -> None:
    """Change the Formgrader, if it runs in this process, wherever and whenever it was started."""
    BaseHandler.exporter = property(_exporter)
    BaseHandler.render = _render
    SubmissionFilesHandler.content_security_policy = property(_without_scripts)


def _exporter(handler: BaseHandler) -> SafeHTMLExporter:
    return _safe(handler.settings["nbgrader_exporter"])


@functools.lru_cache(1)
def _safe(exporter: HTMLExporter) -> SafeHTMLExporter:
    return SafeHTMLExporter(config=exporter.config)


def _render(handler: BaseHandler, name: str, **names: Any) -> str:
    return _escaping(handler.settings["nbgrader_jinja2_env"]).get_template(name).render(**names)


@functools.lru_cache(1)
def _escaping(environment: Any) -> Any:
    return environment.overlay(autoescape=True)


def _without_scripts(handler: BaseHandler) -> str:
    return super(SubmissionFilesHandler, handler).content_security_policy + "; sandbox"
