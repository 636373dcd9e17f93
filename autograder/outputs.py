"""What a cell may leave in the graded notebook: capped, and nothing that a browser would run."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import nbformat
import nh3

from .markup import clean
from .results import writable

TAGS = nh3.ALLOWED_TAGS - {"img"}  # a picture from elsewhere would tell who reads the page, when
CONTROL = re.compile(r"[^\n\t\r\b\x1b\x20-\x7e\xa0-\U0010ffff]")
MAX_OUTPUTS = 100
MAX_HTML = 32 << 10  # characters
MAX_IMAGE = 4 << 20  # characters of base64, of all of a cell's images together


class Outputs:
    """Collects a cell's outputs for the graded notebook: capped, and without anything active."""

    def __init__(self, outputs: list, limit: int, images: int = MAX_IMAGE):
        self.outputs, self.left, self.images = outputs, limit, min(images, MAX_IMAGE)
        self.full = False
        self._given = self.left + self.images

    @property
    def used(self) -> int:
        """Bytes that were kept, of text and images."""
        return self._given - self.left - self.images

    def add(self, message: dict) -> None:
        kind, content = message["msg_type"], message["content"]
        if kind == "clear_output":
            self.outputs.clear()
        elif kind == "stream":
            self._add_stream(content)
        elif kind in ("display_data", "execute_result"):
            data = self._harmless(content.get("data"))
            if data and self._room():
                self.outputs.append(
                    nbformat.v4.new_output("display_data" if kind == "display_data" else kind, data)
                )
        elif kind == "error":
            lines = content.get("traceback")
            text = "\n".join(map(_writable, lines)) if isinstance(lines, list) else ""
            self.add_error(content.get("ename"), content.get("evalue"), self._take(text))

    def add_error(self, ename: Any, evalue: Any, text: str = "") -> None:
        if self._room():
            ename, evalue = _writable(ename)[:200], _writable(evalue)[:2000]
            self.outputs.append(
                nbformat.v4.new_output(
                    "error", ename=ename, evalue=evalue, traceback=[text or f"{ename}: {evalue}"]
                )
            )

    def _add_stream(self, content: dict) -> None:
        name = "stderr" if content.get("name") == "stderr" else "stdout"
        text = self._take(_writable(content.get("text", "")))
        last = self.outputs[-1] if self.outputs else None
        if text and last and last["output_type"] == "stream" and last["name"] == name:
            last["text"] += text
        elif text and self._room():
            self.outputs.append(nbformat.v4.new_output("stream", name=name, text=text))

    def _harmless(self, data: Any) -> dict[str, str]:
        if not isinstance(data, dict):
            return {}
        kept = {}
        for kind in ("image/png", "image/jpeg"):
            image = data.get(kind)
            if isinstance(image, str) and len(image) <= self.images and _is_base64(image):
                self.images -= len(image)
                kept[kind] = image
        for kind in ("text/plain", "text/html"):
            text = data.get(kind)
            # cleaning takes time that grows with the square of the length
            if isinstance(text, str) and not (kind == "text/html" and len(text) > MAX_HTML):
                text = self._take(_writable(text))
                kept[kind] = self._clean(text) if kind == "text/html" else text
        return {kind: text for kind, text in kept.items() if text}

    def _clean(self, page: str) -> str:
        """HTML without what is active; nothing, where closing all its tags makes it too long."""
        cleaned = clean(page, tags=TAGS) or ""
        grown = max(0, _size(cleaned) - _size(page))
        if grown > self.left:
            return ""
        self.left -= grown
        return cleaned

    def _take(self, text: str) -> str:
        """The part of the text that there is still room for."""
        if _size(text) > self.left:
            while (size := _size(text)) > self.left:
                text = text[: len(text) * self.left // size]
            text += "" if self.full else "\n[… cut by the grader: too long]\n"
            self.left, self.full = 0, True
        else:
            self.left -= _size(text)
        return text

    def _room(self) -> bool:
        return len(self.outputs) < MAX_OUTPUTS


def _writable(value: Any) -> str:
    """Without control characters but those of terminals: JSON writes each of them as six bytes."""
    return CONTROL.sub("�", writable(str(value)))


def _size(text: str) -> int:
    """Bytes in a notebook's file, about."""
    return len(text.encode()) + 5 * text.count("\x1b")


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text.replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
