"""What a student's function reads from other cells, which the grader may not run."""

from __future__ import annotations

import ast
import dis
import inspect
import linecache
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

from cnnlab import architectures

# What the released notebooks set in cells that the grader does run.
RELEASED = frozenset({"CORES", "LAYERS"})


def data_from_outside(f: Callable) -> list[str]:
    """The names of global variables that a function reads, and that its own cell does not set.

    Only data count: numbers, lists, arrays. Functions, classes and modules are where answers may
    come from; so is what the release sets for all, and what cnnlab.architectures holds.

    Returns:
        The names, in order of the alphabet; none for what is not written in Python.
    """
    f = inspect.unwrap(f)
    code = getattr(f, "__code__", None)
    if code is None:
        return []
    read = set(_globals_read(code)) - RELEASED - _set_beside(code)
    values = f.__globals__
    return sorted(name for name in read if name in values and _is_own_data(values[name]))


def _globals_read(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname == "LOAD_GLOBAL":
            yield instruction.argval
    for constant in code.co_consts:  # functions and comprehensions inside
        if isinstance(constant, CodeType):
            yield from _globals_read(constant)


def _set_beside(code: CodeType) -> set[str]:
    """The names that are set at the top level of the cell in which the function stands."""
    try:
        cell = ast.parse("".join(linecache.getlines(code.co_filename)))
    except SyntaxError:  # a cell with %magics
        return set()
    statements = (node for node in cell.body if not isinstance(node, ast.FunctionDef))
    return {
        name.id
        for node in statements
        for name in ast.walk(node)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
    }


def _is_own_data(value: Any) -> bool:
    given = any(value is each for each in vars(architectures).values())
    return not (given or callable(value) or inspect.ismodule(value))
