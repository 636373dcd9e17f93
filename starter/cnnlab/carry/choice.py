"""Yours, torch's, or neither: which function is carried, and why."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cnnlab.carry import layers
from cnnlab.carry.notebooks import Notebook, find_notebooks
from cnnlab.carry.own import OwnFunctions, Unusable

CHECK_SECONDS = 2.0  # for the visible checks of one function; what is not tried by then, is not

supplied: dict[str, Callable] = {}
"""The grader's own layers, by name, while it grades; nobody's earlier mistake counts twice then."""


class NotCarried(RuntimeError):
    """A carried function was called that is nowhere: says why, and what to do."""


def carry(
    *names: str, folder: str | Path | None = None, own: bool = True, check: bool = True
) -> Callable | tuple[Callable, ...]:
    """Use here what you wrote in an earlier notebook.

    It looks for your earlier notebooks beside this one (or in ``folder``, or where the environment
    variable CNNLAB_CARRY says), whatever their files are called, and takes the functions out of the
    cells in which you answered those questions. Nothing else in those notebooks runs. For what is
    missing, not written yet, or fails its visible check, you get a layer by torch that does the
    same, so that one hole in an earlier notebook does not hold you up here. What you got, and why,
    is printed.

    A forward pass and its backward pass belong together, since one reads what the other keeps:
    name both in one call, and they come from the same place.

    Where torch is not installed either, you get a function that raises NotCarried when it is
    called, and only then: so the rest of the notebook runs from top to bottom, and this line alone
    says at once, in short, what is missing.

    When a notebook is graded, the grader supplies these layers. So a mistake in the earlier
    notebook costs points there, and not here again.

    Args:
        names: the questions' names, like "conv_forward_fast"
        folder: the earlier notebook, or a folder with it
        own: False takes torch's even where yours are there: is a mistake here, or in them?
        check: whether to run your functions' visible checks first, for at most 2 seconds each

    Returns:
        The function; of several names, a tuple of functions in their order.

    Raises:
        TypeError: a name is not a text, or there is none. ValueError: there is no such folder.
    """
    if not names or not all(isinstance(name, str) for name in names):
        raise TypeError('carry wants names, as in carry("conv_forward_fast", "conv_backward_fast")')
    carrier = _Carrier(names, folder, own, check)
    found: dict[str, _Carried] = {}
    for name in names:
        if name not in found:
            found |= carrier.together([n for n in names if _layer_of(n) == _layer_of(name)])
    _tell(found)
    functions = tuple(found[name].function for name in names)
    return functions if len(names) > 1 else functions[0]


def _layer_of(name: str) -> str:
    """The same for a forward pass and its backward pass."""
    return name.replace("_backward", "_forward")


@dataclass
class _Carried:
    """A function, and where it comes from in words that follow its name."""

    function: Callable
    words: str


@dataclass
class _Tried:
    """What one notebook has of some functions: those that can be used, and what is wrong."""

    label: str = ""
    functions: dict[str, Callable] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)


class _Carrier:
    def __init__(self, names: tuple[str, ...], folder, own: bool, check: bool, asked=()):
        self.names, self.folder, self.own, self.check = names, folder, own, check
        self.asked = {*asked, *names}  # an answer may use what its notebook carried, and so on
        self.notebooks: list[tuple[Notebook, OwnFunctions]] | None = None

    def together(self, names: list[str]) -> dict[str, _Carried]:
        """Functions that have to come from one place."""
        if all(name in supplied for name in names):
            return {name: _Carried(supplied[name], "the grader's") for name in names}
        tried = self._best(names) if self.own else _Tried()
        if self.own and not tried.wrong:
            yours = f"yours, from {tried.label}"
            return {name: _Carried(tried.functions[name], yours) for name in names}
        return {name: self._instead(name, tried) for name in names}

    def _best(self, names: list[str]) -> _Tried:
        """What the first notebook has in which all is well; else the first that has any of them."""
        found = [self._try(each, names) for each in self._own() if each[0].questions & {*names}]
        if not found:
            return _Tried(wrong=dict.fromkeys(names, "is in no notebook that was found"))
        return next((tried for tried in found if not tried.wrong), found[0])

    def _own(self) -> list[tuple[Notebook, OwnFunctions]]:
        if self.notebooks is None:
            found = find_notebooks(self.names, self.folder)
            self.notebooks = [(n, OwnFunctions(n, self._of_other_notebooks)) for n in found]
        return self.notebooks

    def _of_other_notebooks(self, name: str) -> Callable | None:
        """What an answer uses that its own notebook carried."""
        if name not in layers.LAYERS or name in self.asked:
            return None
        pair = tuple(n for n in layers.LAYERS if _layer_of(n) == _layer_of(name))
        carrier = _Carrier(pair, self.folder, self.own, check=False, asked=self.asked)
        return carrier.together([*pair])[name].function

    def _try(self, source: tuple[Notebook, OwnFunctions], names: list[str]) -> _Tried:
        notebook, functions = source
        tried = _Tried(notebook.label)
        for name in names:
            try:
                tried.functions[name] = functions.function(name)
            except Unusable as error:
                tried.wrong[name] = str(error)
                continue
            failed = _failed_check(name, tried.functions[name]) if self.check else ""
            if failed:
                tried.wrong[name] = f"does not pass its visible check, “{failed}”"
        return tried

    def _instead(self, name: str, tried: _Tried) -> _Carried:
        why = tried.wrong.get(name, "")
        if not why and tried.wrong:
            why = f"shares its cache with {' and '.join(tried.wrong)}, so both come from one place"
        place = f" ({tried.label})" if tried.label else ""
        if name in layers.LAYERS and layers.is_there():
            words = f"torch's, since yours {why}{place}" if why else "torch's, as you asked"
            return _Carried(layers.LAYERS[name], words)
        if name in tried.functions:
            return _Carried(tried.functions[name], f"yours{place}, but it {why}")
        return _nowhere(name, f"yours {why}{place}" if why else "torch is not installed")


def _failed_check(name: str, f: Callable) -> str:
    """The name of the visible step that it fails; "" if there is none, or time is over."""
    from cnnlab.checks.run import run_steps
    from cnnlab.checks.steps import STEPS

    deadline = time.monotonic() + CHECK_SECONDS
    for step in STEPS.get(name, []):
        if time.monotonic() > deadline:
            break
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # what it prints while it is tried
                failure, _, _ = run_steps(f, [step])
        except SystemExit:
            return step.name
        if failure is not None:
            return step.name
    return ""


def _nowhere(name: str, why: str) -> _Carried:
    """A function that says, when it is called, that there is none, and what to do."""
    todo = (
        "Write it, or put the notebook that has it into a folder beside this one's, and run this "
        "line again"
    )
    # of many functions the same short line is printed once; the error of each says more
    short = "Its notebook belongs into a folder beside this one's"
    if name in layers.LAYERS:
        todo += ". Or go on without it: pip install torch"
        short += "; or pip install torch"
    elif name in _questions():
        todo += (
            f". (torch has no layer like {name}, so nothing stands in for it: only yours will do.)"
        )
    else:
        todo += f". (No question is called {name}. Is the name spelt right?)"
        short = f"No question is called {name}. Is the name spelt right?"

    def missing(*args, **kwargs):
        raise NotCarried(f"{name} is not there: {why}. {todo}")

    missing.__name__ = missing.__qualname__ = name
    return _Carried(missing, f"not there, as {why}. {short}")


def _questions() -> set[str]:
    """The names of all that has a visible check."""
    from cnnlab.checks.steps import STEPS

    return set(STEPS)


def _tell(found: dict[str, _Carried]) -> None:
    """One line for all functions of which the same can be said."""
    lines: dict[str, list[str]] = {}
    for name, carried in found.items():
        lines.setdefault(carried.words, []).append(name)
    for words, names in lines.items():
        print(f"{', '.join(names)}: {words}" + ("" if words[-1] in ")?" else "."))
