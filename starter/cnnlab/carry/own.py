"""From an answer's cell to a function that runs, and nothing else.

Of the cell, only those statements run that the function needs: its ``def``, the functions, classes
and constants of the same cell that it uses, and imports. What else stands there (a plot, a trial)
does not. If it uses the answer to another question, that cell is read in the same way.

Each cell gets a namespace of its own, so that two cells' helpers of the same name do not meet.
"""

from __future__ import annotations

import contextlib
import linecache
from collections.abc import Callable

import numpy as np

from cnnlab.carry.code import (
    DEFINITIONS,
    EVERYWHERE,
    IMPORTS,
    bound,
    compiled,
    definitions,
    is_stub,
    mentions,
    only,
    parse,
    used,
)
from cnnlab.carry.notebooks import Notebook


class Unusable(Exception):
    """The function cannot be had from this notebook. Says why, to follow on “yours”."""


class OwnFunctions:
    """The functions of one notebook.

    ``elsewhere(name)`` is asked for what the notebook itself carried from an earlier one; it
    returns None if it knows nothing of that name.
    """

    def __init__(self, notebook: Notebook, elsewhere: Callable[[str], Callable | None]):
        self.notebook, self.elsewhere = notebook, elsewhere
        self._cells: dict[str, _Cell] = {}
        self._late: list[tuple[dict, str, dict]] = []  # (namespace, name, the one that has it)

    def function(self, name: str) -> Callable:
        """The student's function. Raises Unusable."""
        space = self._load(self._cell_of(name), name)
        forward = name.replace("_backward", "_forward")
        if forward != name:  # the visible check of a backward pass looks for it there
            with contextlib.suppress(Unusable):
                space.setdefault(forward, self.function(forward))
        for reader, what, owner in self._late:  # two answers that use each other
            reader.setdefault(what, owner.get(what))
        f = space.get(name)
        if not callable(f):
            raise Unusable(f"is of type {type(f).__name__}, and no function")
        return f

    def _cell_of(self, name: str) -> str:
        """The question whose cell holds the function: its own, or the one that it stands in."""
        own = self.notebook.answers.get(name)
        if own is not None and mentions(own, name):
            return name
        owner = self._owner(name, name)
        if owner is not None:
            return owner
        if name in self.notebook.damaged:
            raise Unusable("cannot be read: the file is damaged. Open it in Jupyter, and save it")
        if name in self.notebook.no_code:
            raise Unusable("is not there: its cell is text now. Turn it into a code cell again")
        if own is None:
            raise Unusable("is not there: the cell of this question is missing")
        raise Unusable(f"is not there: its cell has no {name}")

    def _owner(self, name: str, question: str) -> str | None:
        """The other question whose cell defines that name: its own before any other."""
        if name != question and name in self.notebook.answers:
            return name
        defining = [
            other
            for other, source in self.notebook.answers.items()
            if other != question
            and mentions(source, name)
            and any(
                name in bound(node) for node in definitions(source) if not isinstance(node, IMPORTS)
            )
        ]
        return defining[-1] if defining else None

    def _load(self, question: str, name: str) -> dict:
        """The namespace of this question's cell, with ``name`` in it."""
        if question not in self._cells:
            self._cells[question] = _Cell(self.notebook, question)
        cell = self._cells[question]
        if name not in cell.loaded:
            cell.loaded.add(name)
            try:
                wanted, missing = cell.needed(name)
                for outer in sorted(missing - set(cell.space)):
                    self._provide(outer, cell)
                cell.run(wanted)
            except Unusable:
                cell.loaded.discard(name)
                raise
        return cell.space

    def _provide(self, name: str, cell: _Cell) -> None:
        """Put what the cell uses from outside into its namespace."""
        owner = self._owner(name, cell.question)
        if owner is not None:
            try:
                others = self._load(owner, name)
            except Unusable as error:
                raise Unusable(f"uses {name}, which {error}") from None
            if name in others:
                cell.space[name] = others[name]
            else:
                self._late.append((cell.space, name, others))
            return
        for source in (*self.notebook.other, *self.notebook.answers.values()):
            for node in definitions(source):
                if isinstance(node, IMPORTS) and name in bound(node):
                    cell.run([only(node, name)])
                    return
        carried = self.elsewhere(name)
        if carried is None:
            raise Unusable(
                f"uses {name}, which no answer's cell defines. Put {name} into the same cell"
            )
        cell.space[name] = carried


class _Cell:
    """An answer's cell: its statements, and the namespace in which some of them have run."""

    def __init__(self, notebook: Notebook, question: str):
        self.question, self.source = question, notebook.answers[question]
        self.file = f"<{notebook.label}: {question}>"
        self.space = {"__name__": f"carried.{question}", "np": np}
        self.loaded: set[str] = set()
        self.done: list = []
        try:
            self.nodes = [n for n in parse(self.source).body if isinstance(n, DEFINITIONS)]
        except SyntaxError as error:
            line = (error.text or "").strip()
            raise Unusable(
                f"cannot be read: line {error.lineno} of its cell, “{line}”, is no Python "
                f"({error.msg})"
            ) from None
        except (ValueError, RecursionError, MemoryError) as error:
            raise Unusable(f"cannot be read ({error})") from None

    def needed(self, name: str) -> tuple[list, set[str]]:
        """The statements that the function needs, and the names that it uses from outside."""
        binders: dict[str, list[int]] = {}
        for index, node in enumerate(self.nodes):
            for each in bound(node):
                binders.setdefault(each, []).append(index)
        if name not in binders:
            raise Unusable(f"is not there: its cell has no {name}")
        if is_stub(self.nodes[binders[name][-1]]):
            raise Unusable("is not written yet: it raises NotImplementedError")
        chosen: set[int] = set()
        missing: set[str] = set()
        todo = [name]
        while todo:
            each = todo.pop()
            if each not in binders:
                missing.add(each)
                continue
            for index in set(binders[each]) - chosen:
                chosen.add(index)
                try:
                    todo += used(self.nodes[index])
                except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                    raise Unusable(f"cannot be read ({error})") from None
        return [self.nodes[index] for index in sorted(chosen)], missing - EVERYWHERE - {"np"}

    def run(self, nodes: list) -> None:
        """Run those of the statements that have not run. Raises Unusable."""
        nodes = [node for node in nodes if node not in self.done]
        self.done += nodes
        # for tracebacks, and for inspect.getsource
        lines = self.source.splitlines(keepends=True)
        linecache.cache[self.file] = (len(self.source), None, lines, self.file)
        try:
            exec(compiled(nodes, self.file), self.space)
        except Exception as error:
            raise Unusable(f"stops when its cell runs: {type(error).__name__}: {error}") from None
