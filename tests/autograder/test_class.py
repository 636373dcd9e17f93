"""A whole class, graded through the sandbox and nbgrader's gradebook."""

import asyncio
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import all_misconceptions
from nbgrader.api import Gradebook

from autograder.cohort import Memory, grade_class
from autograder.diagnose import MISCONCEPTIONS
from autograder.errors import GraderError
from autograder.gradebook import Course
from autograder.limits import Limits
from autograder.questions import PROJECT
from autograder.runner import grade_file

pytestmark = pytest.mark.slow
BIN = Path(sys.executable).parent


def gradebook_scores(course, assignment):
    """Student -> (score, {question: automatic score}, total of extra credit)"""
    found = {}
    with Gradebook(course.db_url) as gradebook:
        for submission in gradebook.assignment_submissions(assignment.name):
            notebook = submission.notebooks[0]
            cells = {
                grade.name.removesuffix("-tests"): grade.auto_score for grade in notebook.grades
            }
            extra = sum(grade.extra_credit or 0 for grade in notebook.grades)
            found[submission.student_id] = (submission.score, cells, extra)
    return found


def test_nobody_is_left_ungraded(graded_class):
    assert graded_class.result.failures == {}
    assert len(graded_class.result.reports) == len(
        list((graded_class.course.root / "submitted").iterdir())
    )


def test_the_grader_itself_never_fails(graded_class):
    assert [r.grader_errors for r in graded_class.result.reports if r.grader_errors] == []


def test_the_solution_scores_full_and_the_starter_nothing(graded_class):
    solution, starter = graded_class.report("solution"), graded_class.report("starter")
    assert solution.score == sum(q.points for q in solution.questions)
    assert starter.score == 0
    assert {q.status for q in starter.questions} == {"not attempted"}


def test_a_correct_answer_in_another_style_scores_full(graded_class):
    """lists for arrays, an own cache, prints, and warnings on stderr"""
    report = graded_class.report("own-style")
    assert [q.id for q in report.questions if q.status != "passed"] == []


def test_every_misconception_loses_points_and_is_named(graded_class, assignment):
    wrong = {}
    for student, expected in all_misconceptions(assignment).items():
        for question in graded_class.report(student).questions:
            named = expected.get(question.id)
            if named is None:
                if question.status != "passed":
                    wrong[student, question.id] = question.status
            elif question.score >= question.points or question.misconception != named:
                wrong[student, question.id] = (named, question.misconception, question.score)
    assert wrong == {}


def test_one_misconception_costs_its_own_question_only(graded_class, assignment):
    singles = [r for r in graded_class.result.reports if r.student.startswith("wrong-")]
    assert len(singles) == len(assignment.questions)
    for report in singles:
        lost = [q.id for q in report.questions if q.score < q.points]
        assert len(lost) == 1, report.student
        assert report.question(lost[0]).misconception in MISCONCEPTIONS[lost[0]]


def test_a_crash_costs_its_question_only(graded_class):
    report = graded_class.report("crashes")
    assert [q.id for q in report.questions if q.score < q.points] == ["max_pool_forward_naive"]
    assert report.question("max_pool_forward_naive").status == "error"


def test_an_endless_loop_costs_its_question_only(graded_class):
    report = graded_class.report("never-ends")
    assert [q.id for q in report.questions if q.score < q.points] == ["conv_backward_naive"]
    assert report.question("conv_backward_naive").status == "timeout"


def test_duplicated_deleted_and_edited_cells_cost_only_the_deleted_answer(graded_class):
    report = graded_class.report("shuffled-cells")
    assert [q.id for q in report.questions if q.score < q.points] == ["receptive_field"]
    assert any("2 times" in note for note in report.notes)
    assert any("receptive_field" in note and "missing" in note for note in report.notes)


def test_a_half_finished_notebook_keeps_what_is_done(graded_class):
    report = graded_class.report("half-finished")
    assert report.score > 0
    broken = report.question("avg_pool_forward_naive")
    assert broken.status == "error" and "SyntaxError" in broken.tests[0].message


@pytest.mark.parametrize("student", ["forges-its-score", "reads-the-answers"])
def test_cheating_earns_nothing(graded_class, student):
    report = graded_class.report(student)
    assert report.score == 0
    assert all(not test.passed for question in report.questions for test in question.tests)


def test_nothing_handed_in_is_a_zero_that_says_why(graded_class):
    for student, word in (("handed-in-nothing", "cannot be read"), ("broken-file", "JSON")):
        report = graded_class.report(student)
        assert report.score == 0
        assert word in " ".join(report.notes)


def test_a_link_to_the_answers_leads_nowhere(graded_class, assignment):
    """neither in our command, nor in nbgrader's own, which copies what links point to"""
    course = graded_class.course
    assert graded_class.report("links-to-answers").score == 0
    assert any("ans.py" in note for note in graded_class.report("links-to-answers").notes)
    assert course.api.autograde(assignment.name, "links-to-answers")["success"]
    assert gradebook_scores(course, assignment)["links-to-answers"][0] == 0
    folder = course.folder("autograded", "links-to-answers", assignment)
    assert sorted(p.name for p in folder.iterdir()) == ["conv_layers.ipynb", "report.json"]


def test_odd_files_beside_an_honest_notebook_cost_nothing(graded_class):
    report = graded_class.report("odd-files")
    assert [q.id for q in report.questions if q.status != "passed"] == []
    assert {n.split()[0] for n in report.notes} == {
        *("json.py,", "nowhere", "pipe"),
        r"'a\nb<script>.txt'",  # whose name no list can show
    }


def test_no_copy_of_a_submission_is_left_behind(graded_class):
    assert list((graded_class.course.root / ".cnnlab" / "submitted").iterdir()) == []


def test_the_gradebook_holds_the_reports_scores(graded_class, assignment):
    scores = gradebook_scores(graded_class.course, assignment)
    for report in graded_class.result.reports:
        total, cells, extra = scores[report.student]
        assert total == pytest.approx(report.score), report.student
        assert extra == pytest.approx(sum(q.score for q in report.questions if q.extra_credit))
        for question in report.questions:
            expected = 0 if question.extra_credit else question.score
            assert cells[question.id] == pytest.approx(expected), (report.student, question.id)


def test_written_answers_wait_for_a_person(graded_class, assignment):
    with Gradebook(graded_class.course.db_url) as gradebook:
        solution = gradebook.find_submission(assignment.name, "solution")
        starter = gradebook.find_submission(assignment.name, "starter")
        assert solution.needs_manual_grade and not starter.needs_manual_grade


@pytest.mark.parametrize("student", ["wrong-conv-backward", "shuffled-cells", "forges-its-score"])
def test_the_same_scores_by_check_by_nbgrader_and_by_the_formgraders_button(
    graded_class, assignment, student
):
    course = graded_class.course
    by_grade = graded_class.report(student)
    path = course.folder("submitted", student, assignment) / f"{assignment.notebook}.ipynb"
    by_check = grade_file(path).report
    without_times = [
        [{**q.to_dict(), "seconds": 0} for q in report.questions] for report in (by_grade, by_check)
    ]
    assert without_times[0] == without_times[1]
    assert by_check.seed == by_grade.seed and by_check.student == student

    before = gradebook_scores(course, assignment)[student]
    command = [BIN / "nbgrader", "autograde", assignment.name, "--student", student, "--force"]
    ran = subprocess.run(command, cwd=course.root, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert gradebook_scores(course, assignment)[student] == before

    async def press_the_button():  # the Formgrader calls this from inside a running event loop
        return course.api.autograde(assignment.name, student)

    assert asyncio.run(press_the_button())["success"]
    assert gradebook_scores(course, assignment)[student] == before


def test_nbgrader_export_tells_the_same_scores(graded_class):
    course = graded_class.course
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(
        [BIN / "nbgrader", "export"],
        cwd=course.root,
        check=True,
        capture_output=True,
        env=environment,
    )
    rows = {
        row["student_id"]: float(row["score"])
        for row in csv.DictReader((course.root / "grades.csv").open())
    }
    assert rows == {r.student: pytest.approx(r.score) for r in graded_class.result.reports}


def test_every_student_gets_a_page_and_the_class_too(graded_class, assignment):
    course = graded_class.course
    overview = graded_class.result.page.read_text("utf-8")
    for report in graded_class.result.reports:
        folder = course.folder("feedback", report.student, assignment)
        page = (folder / f"{assignment.notebook}.html").read_text("utf-8")
        assert report.student in page and report.student in overview
        for question in report.questions:
            if question.misconception:
                assert question.misconception.replace("_", " ") in page


def test_feedback_never_holds_tests_answers_or_inputs(graded_class, assignment):
    source_lines = {
        line.strip()
        for path in (assignment.hidden_tests, assignment.misconceptions)
        for line in path.read_text("utf-8").splitlines()
        if ("=" in line or "assert" in line) and len(line.strip()) > 30
    }
    for page in graded_class.course.root.glob("feedback/*/*/*.html"):
        text = page.read_text("utf-8")
        assert not [line for line in source_lines if line in text]
        assert str(PROJECT) not in text


def test_a_second_run_remembers_and_agrees(graded_class, assignment):
    course = graded_class.course
    students = ["solution", "wrong-conv-cost"]
    again = grade_class(course, assignment, students=students)
    assert again.remembered == 2
    for report in again.reports:
        assert report.to_dict() == graded_class.report(report.student).to_dict()


def test_what_timed_out_is_not_remembered(graded_class, assignment):
    memory = Memory(graded_class.course.root / ".cnnlab" / "results", assignment, Limits())
    kept = [json.loads(path.read_text("utf-8")) for path in memory.folder.glob("*.json")]
    assert kept and not [k for k in kept if '"timeout"' in k["report"]]


def test_an_unknown_student_is_an_error_that_names_the_place(graded_class, assignment):
    with pytest.raises(GraderError, match=r"nobody.*submitted"):
        grade_class(graded_class.course, assignment, students=["nobody"])


def test_a_folder_without_config_is_no_course(tmp_path):
    with pytest.raises(GraderError, match=r"nbgrader_config\.py"):
        Course.open(tmp_path)
