"""What a notebook's bytes hold: its cells, however old, foreign or damaged the file is.

Nothing but the cells' kind, source, marks, ids and pasted pictures is taken from a submission.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from .errors import BadSubmission
from .results import Finding, writable

MAX_NOTEBOOK = 64 << 20  # bytes, with its outputs
MAX_VALUES = 4_000_000  # commas and brackets: each becomes an object of up to 100 bytes
MAX_CELLS = 2000
MAX_SOURCE = 1 << 20  # characters in a cell
MAX_DAMAGES = 10  # places in a damaged file after which reading is tried again
KINDS = ("code", "markdown", "raw")

# raw line ends in strings are let pass; no number is needed, and int() has a limit on digits
DECODER = json.JSONDecoder(strict=False, parse_int=float)
START_OF_CELLS = re.compile(r'"cells"\s*:\s*\[')
START_OF_CELL = re.compile(
    r'\{\s*"(?:attachments|cell_type|execution_count|id|metadata|outputs|source)"\s*:'
)


@dataclass(frozen=True)
class Read:
    """The cells as [{"cell_type", "source", "grade_id", "id", "attachments"}, …].

    ``damaged`` says that the file was not whole, and that some of its cells may be lost.
    """

    cells: list[dict]
    damaged: bool = False


def read_cells(name: str, data: bytes, findings: list[Finding]) -> Read:
    """The cells of the notebook called ``name``. Raises BadSubmission if there are none to find."""
    text = _decode(data, findings)
    if sum(map(text.count, ",[{")) > MAX_VALUES:
        raise BadSubmission(
            f"{name} holds more than {MAX_VALUES:,} values. Clear the outputs, save it, and hand "
            "it in again."
        )
    try:
        found, damaged = _all_cells(DECODER.decode(text), name, findings), False
    except (ValueError, RecursionError) as error:
        found, damaged = _salvage(text), True
        if not found:
            raise BadSubmission(
                f"{name} is not a notebook: it does not parse as JSON ({str(error)[:120]}). "
                "Open it in Jupyter, save it, and hand it in again."
            ) from None
        text = (
            f"The file is cut off or damaged ({str(error)[:120]}). Its {len(found)} whole cells "
            "were saved, and what else it held is lost. Open it in Jupyter to see what is left."
        )
        findings.append(Finding("repaired", text))
    cells = [clean for cell in found[:MAX_CELLS] if (clean := _clean_cell(cell))]
    if len(cells) < len(found):
        text = f"{len(found) - len(cells)} cells could not be read and were left out."
        findings.append(Finding("left out", text))
    return Read(cells, damaged)


def _decode(data: bytes, findings: list[Finding]) -> str:
    encoding = json.detect_encoding(data)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        text = "Some characters of the notebook were not UTF-8 and were replaced."
        findings.append(Finding("repaired", text))
        return data.decode(encoding, "replace")


def _all_cells(data: object, name: str, findings: list[Finding]) -> list:
    version = data.get("nbformat") if isinstance(data, dict) else None
    if not isinstance(version, float):
        version = 4
    if isinstance(data, dict) and (isinstance(data.get("worksheets"), list) or version < 4):
        text = "The notebook was in an old format (before version 4). It was converted."
        findings.append(Finding("repaired", text))
        return _old_cells(data)
    if not isinstance(data, dict) or not isinstance(data.get("cells"), list):
        raise BadSubmission(f"{name} is not a notebook: it has no list of cells.")
    if version >= 5:
        text = f"The notebook says that its format is {version:g}. It was read as if it was 4."
        findings.append(Finding("repaired", text))
    return data["cells"]


def _old_cells(data: dict) -> list:
    """Formats 1 to 3: the cells lie in worksheets, and their texts have other names."""
    sheets = data.get("worksheets")
    cells: list = []
    for sheet in sheets if isinstance(sheets, list) else [data]:
        found = sheet.get("cells") if isinstance(sheet, dict) else None
        cells += map(_modern, found) if isinstance(found, list) else ()
    return cells


def _modern(cell: object) -> object:
    if not isinstance(cell, dict):
        return cell
    source = next((cell[key] for key in ("source", "input", "code", "text") if key in cell), "")
    kind = cell.get("cell_type")
    if kind == "heading":
        level = cell.get("level")
        level = int(level) if isinstance(level, float) and 1 <= level <= 6 else 1
        source = "#" * level + " " + (_joined(source) or "")
    if kind in ("heading", "text", "html"):
        kind = "markdown"
    return {**cell, "cell_type": kind, "source": source}


def _salvage(text: str) -> list[dict]:
    """The cells that are whole, in a file that is not: cut off, overwritten, or merged by git."""
    cells: list[dict] = []
    start = START_OF_CELLS.search(text)
    place, damages = start.end() if start else len(text), 0
    while damages < MAX_DAMAGES and (begin := START_OF_CELL.search(text, place)):
        try:
            cell, place = DECODER.raw_decode(text, begin.start())
        except (ValueError, RecursionError):
            place, damages = begin.end(), damages + 1
            continue
        if "cell_type" in cell:
            cells.append(cell)
    return cells


def _joined(source: object) -> str | None:
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    return source if isinstance(source, str) else None


def _clean_cell(cell: object) -> dict | None:
    if not isinstance(cell, dict) or cell.get("cell_type") not in KINDS:
        return None
    source = _joined(cell.get("source", ""))
    if source is None or len(source) > MAX_SOURCE:
        return None
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    return {
        "cell_type": cell["cell_type"],
        "source": writable(source).replace("\r\n", "\n").replace("\r", "\n"),
        "grade_id": grade_id if isinstance(grade_id, str) else None,
        "id": cell.get("id") if isinstance(cell.get("id"), str) else None,
        "attachments": _images(cell.get("attachments")),
    }


def _images(attachments: object) -> dict:
    """Pictures that were pasted into a written answer."""
    kept = {}
    for name, bundle in attachments.items() if isinstance(attachments, dict) else ():
        for kind, data in bundle.items() if isinstance(bundle, dict) else ():
            if (
                kind in ("image/png", "image/jpeg")
                and isinstance(data, str)
                and re.fullmatch(r"[\w.-]{1,100}", name)
                and re.fullmatch(r"[A-Za-z0-9+/=\s]*", data)
            ):
                kept[name] = {kind: data}
    return kept
