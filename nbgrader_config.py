# nbgrader's settings for this course. A course folder of your own needs a copy of this file.
import warnings

from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearOutput,
    LimitOutput,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
)
from sqlalchemy.exc import SAWarning

from autograder import converter, pages
from autograder.converter import Execute
from autograder.database import SaveExtraCredit

# nbgrader 0.9 makes SQLAlchemy warn about its autoflush, which means nothing to who grades
warnings.filterwarnings("ignore", category=SAWarning)

c = get_config()  # noqa: F821 (traitlets provides it)

c.CourseDirectory.course_id = ""
# nbgrader's steps under this project's names
c.CourseDirectory.source_directory = "assignments"
c.CourseDirectory.release_directory = "starter"
c.CourseDirectory.solution_directory = "solutions"
# otherwise nbgrader copies the source notebooks, answers and all, to the students
c.CourseDirectory.ignore = [
    ".ipynb_checkpoints",
    "*.pyc",
    "__pycache__",
    "feedback",
    "*.md",
    "report.json",
]

# Submissions are read, restored and run by the autograder; the rest is nbgrader's own.
converter.install()
c.Autograde.sanitize_preprocessors = [
    ClearOutput,
    OverwriteKernelspec,
    OverwriteCells,
    CheckCellMetadata,
]
c.Autograde.autograde_preprocessors = [
    Execute,
    LimitOutput,
    SaveAutoGrades,
    SaveExtraCredit,
    AssignLatePenalties,
    CheckCellMetadata,
]
# What students wrote or displayed must not run in the browser of whoever reads the feedback.
c.HTMLExporter.sanitize_html = True
c.GenerateFeedback.exporter_class = pages.SafeHTMLExporter
pages.install()
