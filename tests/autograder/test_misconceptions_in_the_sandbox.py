"""The assignments that test_class does not grade: solution, starter and every misconception, once,
each through the real sandbox and kernel."""

import ast

import pytest
from conftest import all_misconceptions

from autograder import demo
from autograder.cohort import grade_class
from autograder.questions import find_assignments

pytestmark = pytest.mark.slow
OTHERS = [a for a in find_assignments().values() if a.name != "2_conv_layers"]


@pytest.fixture(scope="module", params=OTHERS, ids=lambda a: a.name)
def graded(request, tmp_path_factory):
    """The assignment, which student has which misconceptions, and student -> report."""
    assignment = request.param
    wrong = all_misconceptions(assignment)
    answers = demo.answers(assignment)
    notebooks = {
        "solution": demo.fill_in(assignment, answers),
        "starter": demo.fill_in(assignment, {}),
    }
    for student, names in wrong.items():
        sources = {q: demo.misconception_source(assignment, q, name) for q, name in names.items()}
        notebooks[student] = demo.fill_in(assignment, {**answers, **sources})
    course = demo.write_course(tmp_path_factory.mktemp("course"), assignment, notebooks)
    result = grade_class(course, assignment)
    assert result.failures == {}
    return assignment, wrong, {report.student: report for report in result.reports}


def test_the_solution_scores_full_and_the_starter_nothing(graded):
    assignment, _, reports = graded
    missed = [q.id for q in reports["solution"].questions if q.status not in ("passed", "skipped")]
    assert missed == []
    skipped = [q.id for q in reports["solution"].questions if q.status == "skipped"]
    assert set(skipped) <= {q.id for q in assignment.questions if q.needs}
    assert len(reports["solution"].questions) == len(assignment.questions)
    assert reports["starter"].score == 0


def built_on(answers):
    """Question -> all other questions that its answer calls, directly or by way of another."""
    calls = {
        question: {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}
        & answers.keys() - {question}
        for question, source in answers.items()
    }
    for question in answers:  # earlier ones are complete by now: an answer calls only those
        calls[question] |= {name for used in calls[question] for name in calls[used]}
    return calls


def test_every_misconception_loses_points_and_is_named(graded):
    assignment, wrong, reports = graded
    answers = demo.answers(assignment)  # the written ones too, which call nothing
    differ, below = {}, built_on({q.id: answers[q.id] for q in assignment.questions})
    for student, names in wrong.items():
        for question in reports[student].questions:
            named = names.get(question.id)
            if question.status == "skipped":  # without a device nothing is known of it
                continue
            if named is None:
                # what a right net gets out of a wrong layer is wrong, too
                if question.status != "passed" and not below[question.id] & names.keys():
                    differ[student, question.id] = question.status
            elif question.score >= question.points or question.misconception != named:
                differ[student, question.id] = (named, question.misconception, question.score)
    assert differ == {}


def test_the_grader_itself_never_fails(graded):
    _, _, reports = graded
    assert [r.grader_errors for r in reports.values() if r.grader_errors] == []
