"""What a notebook's code says of itself, found without running it."""

from __future__ import annotations

import ast
import builtins
import dis
import re
import types
import warnings
from collections.abc import Iterator

IMPORTS = (ast.Import, ast.ImportFrom)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (*IMPORTS, *FUNCTIONS, ast.ClassDef, ast.Assign, ast.AnnAssign)
EVERYWHERE = {*dir(builtins), "__name__", "__file__", "display", "get_ipython"}


def parse(source: str) -> ast.Module:
    """A cell's code, without IPython's own lines. Raises SyntaxError; lines keep their numbers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of "\d" and the like
        try:
            return ast.parse(source)
        except SyntaxError:
            lines = source.split("\n")
            if not any(map(_is_magic, lines)):
                raise
        return ast.parse("\n".join("" if _is_magic(line) else line for line in lines))


def _is_magic(line: str) -> bool:
    return line.lstrip().startswith(("%", "!"))


def definitions(source: str) -> list[ast.stmt]:
    """A cell's definitions, imports and assignments; none of a cell that cannot be read."""
    try:
        return [node for node in parse(source).body if isinstance(node, DEFINITIONS)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def compiled(nodes: list[ast.stmt], file: str) -> types.CodeType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compile(ast.Module(nodes, []), file, "exec")


def mentions(source: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", source) is not None


def bound(node: ast.stmt) -> set[str]:
    """The names that a definition, an import or an assignment binds."""
    if isinstance(node, IMPORTS):
        return {alias.asname or alias.name.split(".")[0] for alias in node.names}
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {
        name.id
        for target in targets
        for name in ast.walk(target)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
    }


def used(node: ast.stmt) -> set[str]:
    """The global names that a statement reads, now or when its function is called."""
    parts = list(_with_inner(compiled([node], "<answer>")))
    made = {s.argval for p in parts for s in dis.get_instructions(p) if s.opname == "STORE_GLOBAL"}
    read: set[str] = set()
    for part in parts:
        steps = list(dis.get_instructions(part))
        # what a class's body binds is its own; the module's own names are looked up like any other
        own = {s.argval for s in steps if s.opname == "STORE_NAME"} if part is not parts[0] else ()
        read |= {s.argval for s in steps if s.opname in ("LOAD_GLOBAL", "LOAD_NAME")} - {*own}
    return read - made


def _with_inner(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _with_inner(constant)


def only(node: ast.Import | ast.ImportFrom, name: str) -> ast.stmt:
    """Of an import of several names, that of this one."""
    kept = [alias for alias in node.names if name in bound(ast.Import([alias]))]
    if isinstance(node, ast.Import):
        return ast.copy_location(ast.Import(kept), node)
    return ast.copy_location(ast.ImportFrom(node.module, kept, node.level), node)


def is_stub(node: ast.stmt) -> bool:
    """Whether a function raises NotImplementedError whatever it gets. It is not called for that."""
    for step in node.body if isinstance(node, FUNCTIONS) else ():
        if isinstance(step, ast.Return):
            return False
        if isinstance(step, ast.Raise):
            raised = step.exc.func if isinstance(step.exc, ast.Call) else step.exc
            return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
    return False
