"""How a check looks: an HTML table in a notebook, the same as text in a terminal.

Everything is one object with two faces, so IPython's ``display`` picks the right one, and prints
the text where there is no IPython. Colours are set together with their background: a notebook in a
dark theme would otherwise hide them.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np

from cnnlab.checks.steps import DIGITS, Grid

_INK, _PAPER, _LINE = "#1f2328", "#ffffff", "#d0d7de"
_GREEN, _ORANGE = "#0b6e4f", "#b3470d"  # far apart in brightness too, and marked by ✓ and ✗
_WRONG_PAPER = "#ffe0cc"


def number(value: float, digits: int = DIGITS) -> str:
    """A number in at most so many significant digits, as short as it gets."""
    value = float(value)
    return f"{value:.{digits}g}" if value != 0 else "0"


def digits_apart(one: float, other: float) -> int:
    """How many digits it takes to tell two numbers apart; the usual ones, where that is enough."""
    most = 17 if one != other else DIGITS  # which tell any two floats apart
    for digits in range(DIGITS, most):
        if number(one, digits) != number(other, digits):
            return digits
    return most


@dataclass(frozen=True)
class CheckTable:
    """A question's check: the steps that passed, the one that failed (or ""), the others' count."""

    question: str
    passed: tuple[str, ...]
    failed: str = ""
    not_run: int = 0
    grids: tuple[Grid, ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        lines = [f"check: {self.question}"]
        lines += [f"  ✓ {name}" for name in self.passed]
        if self.failed:
            lines.append(f"  ✗ {self.failed}")
        if self.not_run:
            lines.append(f"  · {self.not_run} more, not run yet")
        lines += [f"  note: {note}" for note in self.notes]
        for grid in self.grids:
            lines += ["", f"  {grid.title}", *_grid_text(grid)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [_row("✓", _GREEN, name) for name in self.passed]
        if self.failed:
            rows.append(_row("✗", _ORANGE, self.failed, bold=True))
        if self.not_run:
            rows.append(_row("·", "#57606a", f"{self.not_run} more, not run yet"))
        rows += [_row("!", "#57606a", note) for note in self.notes]
        verdict = "not yet" if self.failed else "all right"
        colour = _ORANGE if self.failed else _GREEN
        grids = "".join(_grid_html(grid) for grid in self.grids)
        return (
            f'<div style="display:inline-block;padding:8px 14px;border:1px solid {_LINE};'
            f"border-left:5px solid {colour};border-radius:4px;background:{_PAPER};"
            f'color:{_INK};font-size:14px;line-height:1.5">'
            f"<div><code style='color:{_INK};background:{_PAPER};font-size:14px'>"
            f"<b>{escape(self.question)}</b></code>"
            f' <span style="color:{colour};font-weight:600">{verdict}</span></div>'
            f'<table style="margin:4px 0 0 0;border-collapse:collapse;border:none">'
            f"<tbody>{''.join(rows)}</tbody></table>"
            f'<div style="display:flex;flex-wrap:wrap;gap:22px">{grids}</div></div>'
        )


def _row(mark: str, colour: str, text: str, bold: bool = False) -> str:
    weight = "600" if bold else "400"
    cell = f"text-align:left;background:{_PAPER};border:none;padding:1px 8px 1px 0;font-size:14px"
    return (
        f'<tr style="background:{_PAPER}">'
        f'<td style="{cell};color:{colour};font-weight:700">{mark}</td>'
        f'<td style="{cell};color:{_INK};font-weight:{weight};white-space:normal">'
        f"{escape(text)}</td></tr>"
    )


def _grid_text(grid: Grid) -> list[str]:
    words = [
        [
            ("*" if bad else "") + number(value, grid.digits)
            for value, bad in zip(row, bads, strict=True)
        ]
        for row, bads in zip(grid.numbers, grid.wrong, strict=True)
    ]
    width = max(len(word) for row in words for word in row)
    return ["    " + "  ".join(word.rjust(width) for word in row) for row in words]


def _grid_html(grid: Grid) -> str:
    finite = np.abs(grid.numbers[np.isfinite(grid.numbers)])
    scale = finite.max() if finite.size and finite.max() > 0 else 1.0
    rows = []
    for values, bads in zip(grid.numbers, grid.wrong, strict=True):
        cells = []
        for value, bad in zip(values, bads, strict=True):
            paper = _WRONG_PAPER if bad else _shade(value / scale if np.isfinite(value) else 0.0)
            edge = f"2px solid {_ORANGE}" if bad else f"1px solid {_LINE}"
            weight = "700" if bad else "400"
            cells.append(
                f'<td style="border:{edge};background:{paper};color:{_INK};font-size:13px;'
                f"font-weight:{weight};text-align:center;min-width:30px;height:26px;"
                f'padding:1px 5px">{number(value, grid.digits)}</td>'
            )
        rows.append(f'<tr style="background:{_PAPER}">{"".join(cells)}</tr>')
    return (
        f'<div style="margin-top:8px"><div style="font-weight:600">{escape(grid.title)}</div>'
        f'<table style="margin:3px 0;border-collapse:collapse;border:none">'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _shade(fraction: float) -> str:
    """White at 0, light blue at 1, light purple at -1: dark ink is readable on all of them."""
    end = (150, 196, 233) if fraction >= 0 else (214, 188, 225)
    red, green, blue = (round(255 + (e - 255) * min(abs(fraction), 1.0)) for e in end)
    return f"#{red:02x}{green:02x}{blue:02x}"
