"""The pytest plugin that turns a file of hidden tests into questions and scores.

pytest collects the tests as ever. The loop that runs them is the grader's: it walks the notebook,
and at each grade cell runs the tests of that question, with the fixtures ``student`` (the proxy)
and ``rng`` (a NumPy generator, the same for the same seed and test).
"""

from __future__ import annotations

import os
import time
import traceback
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from .diagnose import TestedCalls
from .errors import GraderError, StudentError, WrongAnswer
from .results import TestResult
from .student import Session, Student

OURS_TO_MEND = (
    "The grader itself failed here. This is not your mistake: the course staff will see it."
)


@dataclass
class QuestionRun:
    """What running one question's tests gave."""

    tests: list[TestResult] = field(default_factory=list)
    calls: list[TestedCalls] = field(default_factory=list)
    errors: list[Exception | None] = field(default_factory=list)  # one for each test
    grader_errors: list[str] = field(default_factory=list)
    seconds: float = 0.0


class HiddenTests:
    """Collects a file of hidden tests and lends their questions to ``walk``.

    ``walk(self)`` is called once, in pytest's run loop; it calls ``run`` and ``skip``.
    """

    def __init__(self, path: Path, seed: int, walk: Callable[[HiddenTests], None]):
        self.path, self.seed, self.walk = path, seed, walk
        self.items: dict[str, list[pytest.Item]] = {}
        self.session: Session | None = None
        self._raised: BaseException | None = None

    def execute(self) -> None:
        """Collect, walk, tear down. Raises GraderError if the hidden tests cannot be collected."""
        outcome = pytest.main(
            [
                str(self.path),
                "-c",
                os.devnull,
                "--rootdir",
                str(self.path.parent),
                "-s",
                "--disable-plugin-autoload",
                "--assert=plain",
                "--import-mode=importlib",
                *(
                    f"-pno:{name}"
                    for name in (
                        "terminal",
                        "cacheprovider",
                        "faulthandler",
                        "logging",
                        "warnings",
                        "unraisableexception",
                        "threadexception",
                    )
                ),
            ],
            plugins=[self],
        )
        if self._raised is not None:
            raise self._raised
        if outcome not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            raise GraderError(
                f"{self.path.name} cannot be run by pytest ({outcome!r}). Try: "
                f"python -m pytest --collect-only {self.path}"
            )

    # -- pytest's hooks -------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.addinivalue_line(
            "markers", "question(id, points, extra_credit, limits, needs): a question"
        )
        # pytest's own style prints every argument: 60 MB of bytes, where a student sent them
        config.option.tbstyle = "native"

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            marker = item.get_closest_marker("question")
            if marker is not None:
                self.items.setdefault(marker.args[0], []).append(item)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        try:
            self.walk(self)
        except BaseException as error:  # brought out of pytest as it is, not as its own crash
            self._raised = error
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo):
        report = yield
        if call.excinfo is not None:
            self._failure = call.excinfo.value
        return report

    @pytest.fixture
    def student(self) -> Student:
        return Student(self.session)

    @pytest.fixture
    def rng(self, request: pytest.FixtureRequest) -> np.random.Generator:
        name = request.node.nodeid.partition("::")[2]
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])

    # -- for the walk ---------------------------------------------------------------------------

    def run(
        self, question_id: str, session: Session, out_of_time: Callable[[], StudentError | None]
    ) -> QuestionRun:
        """Run a question's tests, each if it is not ``out_of_time`` by then."""
        run = QuestionRun()
        self.session = session
        start = time.monotonic()
        for item in self.items.get(question_id, []):
            session.calls = []
            error = out_of_time() or self._run_item(item, session)
            if session.may_be_innocent(error):
                error = self._try_again(item, session, error)
            self._record(run, item, error)
            run.calls.append(TestedCalls(error is None, session.calls))
        run.seconds = time.monotonic() - start
        return run

    def skip(self, question_id: str, error: StudentError) -> QuestionRun:
        """All of a question's tests as failed by this error, without running them."""
        run = QuestionRun()
        for item in self.items.get(question_id, []):
            self._record(run, item, error)
        return run

    def _try_again(
        self, item: pytest.Item, session: Session, error: Exception | None
    ) -> Exception | None:
        """Run a test once more, where no earlier cell can have left anything running."""
        stopped = session.calls[-1]
        session.stops[stopped.name] = 0  # the second try is not to be refused, if one is allowed
        session.revive(calm=True)
        again = self._run_item(item, session)
        if session.kernel.alive and isinstance(again, StudentError):
            # perhaps it lacks what an earlier cell makes in a loop: with all of it, if that is calm
            session.revive()
            again = self._run_item(item, session)
        if session.kernel.alive and not isinstance(again, StudentError):
            session.rescued(stopped.name)
            return again
        session.stops[stopped.name] = 1
        session.revive()
        return error

    def _run_item(self, item: pytest.Item, session: Session) -> Exception | None:
        try:
            session.begin_test()
        except StudentError as error:
            return error
        self._failure: BaseException | None = None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        if self._failure is not None and not isinstance(self._failure, Exception):
            raise self._failure  # KeyboardInterrupt: the person at the keyboard wants to stop
        return self._failure

    def _record(self, run: QuestionRun, item: pytest.Item, error: Exception | None) -> None:
        name = _plain_name(item)
        run.errors.append(error)
        if error is None:
            run.tests.append(TestResult(name, True))
        elif isinstance(error, (WrongAnswer, StudentError)):
            # in one line: those of a student's exception could look like a report's own
            run.tests.append(TestResult(name, False, " ".join(str(error).split())))
        else:
            run.tests.append(TestResult(name, False, OURS_TO_MEND))
            lines = traceback.format_exception(error)
            run.grader_errors.append(f"{item.nodeid}\n{''.join(lines[-4:])}")
        if error is not None:  # its frames hold what the kernel sent, which may be much
            error.__traceback__ = error.__context__ = error.__cause__ = None


def _plain_name(item: pytest.Item) -> str:
    """The first line of the test's docstring, and its parameters' id where there is one."""
    document = (getattr(item, "function", item).__doc__ or item.name).strip().splitlines()[0]
    name = document.rstrip(".")
    callspec = getattr(item, "callspec", None)
    return f"{name} ({callspec.id})" if callspec else name
