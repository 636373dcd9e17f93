"""Results: what a question scores, and a report that says the same after a trip through JSON."""

import json

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.results import KINDS, SCHEMA, STATUSES, Finding, QuestionResult, Report, TestResult
from autograder.runner import write_outputs

# hypothesis' text() leaves lone surrogates out
TESTS = st.builds(TestResult, st.text(max_size=10), st.booleans(), st.text(max_size=10))
QUESTIONS = st.builds(
    QuestionResult,
    id=st.text(max_size=10),
    points=st.floats(0, 100),
    seconds=st.integers(0, 10**6).map(lambda n: n / 1000),
    status=st.sampled_from(STATUSES),
    tests=st.lists(TESTS, max_size=5).map(tuple),
    extra_credit=st.booleans(),
    misconception=st.none() | st.text(max_size=10),
    hint=st.none() | st.text(max_size=10),
    leans_on=st.lists(st.text(max_size=10), max_size=2).map(tuple),
)
REPORTS = st.builds(
    Report,
    assignment=st.text(max_size=10),
    notebook=st.text(max_size=10),
    student=st.text(max_size=10),
    seed=st.integers(0, 2**32),
    questions=st.lists(QUESTIONS, max_size=3).map(tuple),
    autopsy=st.lists(
        st.builds(Finding, st.sampled_from(KINDS), st.text(max_size=10)), max_size=2
    ).map(tuple),
    grader_errors=st.lists(st.text(max_size=10), max_size=2).map(tuple),
    timing=st.dictionaries(st.text(max_size=5), st.integers(0, 10**6).map(lambda n: n / 1000)),
)


def result(points, passed, total, **changes):
    tests = tuple(TestResult(f"test {i}", i < passed) for i in range(total))
    return QuestionResult("f", points, 0.0, "failed", tests, **changes)


@pytest.mark.parametrize(
    "points, passed, total, score",
    [
        *((6, 3, 3, 6.0), (6, 0, 3, 0.0), (6, 1, 3, 2.0), (1, 1, 3, 0.33), (1, 2, 3, 0.67)),
        *((2.5, 1, 2, 1.25), (10, 1, 7, 1.43), (3, 0, 0, 0.0), (0, 2, 2, 0.0)),
    ],
)
def test_a_score_is_the_share_of_passed_tests_in_cents(points, passed, total, score):
    actual = result(points, passed, total).score
    assert actual == score
    assert type(actual) is float


@given(st.floats(0, 1000), st.integers(0, 20), st.integers(0, 20))
def test_what_nbgrader_reads_is_one_plain_float_between_zero_and_the_points(points, passed, failed):
    question = result(points, passed, passed + failed)
    cell = nbformat.v4.new_code_cell("check(f)")
    write_outputs(cell, question)
    [number] = [o.data["text/plain"] for o in cell.outputs if o.output_type == "execute_result"]
    assert 0 <= float(number) <= points
    assert abs(float(number) - question.score) <= 0.005 + 1e-9


def test_extra_credit_is_zero_in_the_cell_that_nbgrader_reads():
    cell = nbformat.v4.new_code_cell("check(f)")
    write_outputs(cell, result(4, 2, 2, extra_credit=True))
    assert cell.outputs[-1].data["text/plain"] == "0.0"


def test_extra_credit_counts_in_the_score_and_not_in_the_points():
    report = Report("a", "n", "s", 1, (result(4, 2, 4), result(3, 3, 3, extra_credit=True)))
    assert (report.points, report.score) == (4.0, 5.0)


def test_the_scores_of_thirds_do_not_add_up_to_a_long_fraction():
    report = Report("a", "n", "s", 1, (result(0.1, 1, 1), result(0.2, 1, 1)))
    assert report.score == 0.3


def test_a_question_is_found_by_its_id():
    report = Report("a", "n", "s", 1, (result(1, 1, 1),))
    assert report.question("f").points == 1
    with pytest.raises(StopIteration):
        report.question("g")


@given(REPORTS)
def test_a_report_is_the_same_after_a_trip_through_json(report):
    text = report.to_json()
    assert Report.from_json(text) == report
    assert Report.from_json(text).to_json() == text


@given(REPORTS)
def test_the_json_is_plain_and_tells_the_scores(report):
    data = json.loads(report.to_json(), parse_constant=pytest.fail)
    assert data["schema"] == SCHEMA
    assert data["score"] == report.score
    assert [q["score"] for q in data["questions"]] == [q.score for q in report.questions]


@pytest.mark.parametrize("schema", [0, SCHEMA + 1, str(SCHEMA), None])
def test_another_schema_is_refused_with_what_to_do(schema):
    data = Report("a", "n", "s", 1, ()).to_dict() | {"schema": schema}
    with pytest.raises(ValueError, match="Grade the submission again"):
        Report.from_json(json.dumps(data))


def test_a_report_without_a_schema_is_refused():
    with pytest.raises(ValueError, match="schema None"):
        Report.from_json("{}")


def test_an_exceptions_text_with_lone_surrogates_can_be_written_to_a_file(tmp_path):
    message = TestResult("a test", False, "f raised ValueError: \ud800")
    report = Report("a", "n", "s", 1, (QuestionResult("f", 1, 0.0, "error", (message,)),))
    path = tmp_path / "report.json"
    path.write_text(report.to_json(), "utf-8")
    assert Report.from_json(path.read_text("utf-8")) == report
    assert message.message == "f raised ValueError: ?"
