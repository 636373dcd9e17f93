"""Assignments about torch and numba, on a grader with and without a CUDA device."""

import os
import stat
from pathlib import Path

import pytest
from made_up_assignment import notebook_of, written
from nbgrader.utils import determine_grade

from autograder import devices, doctor, runner
from autograder.cli import print_class, print_report
from autograder.devices import cuda_devices, equipped
from autograder.errors import BadLimit, BadSource, NoDevice, NoPackages
from autograder.feedback import class_page, question_html, question_text, student_page
from autograder.kernel import Kernel
from autograder.limits import OURS, WITHOUT, Limits
from autograder.questions import Question, find_assignments, read_markers, read_uses
from autograder.release import to_text
from autograder.results import Report
from autograder.runner import grade
from autograder.sandbox import bubblewrap_command, environment_of
from autograder.submission import load

# -- a small assignment ----------------------------------------------------------------------------

HIDDEN = '''
import numpy as np
from autograder.compare import assert_close, tensor
from autograder.questions import question
from autograder.wire import Tensor

USES = ("torch", "numba")


@question("total", points=4)
class TestTotal:
    def test_it(self, student, rng):
        """the sum, by torch"""
        x = rng.standard_normal((3, 4)).astype(np.float32)
        assert_close(tensor(student.total(Tensor(x))), x.sum())


@question("add_kernel", points=6)
class TestAddKernel:
    def test_it(self, student, rng):
        """the sum of two arrays, in numba's simulator"""
        x, y = rng.standard_normal((2, 37))
        out = student.put(np.zeros(37))
        jit = student.library("numba.cuda").jit
        jit(student.find("add_kernel"))[5, 8](x, y, out)
        assert_close(student.get(out), x + y)


@question("on_device", points=2, extra_credit=True, needs="cuda")
class TestOnDevice:
    def test_it(self, student, rng):
        """the sum on the device"""
        assert_close(student.on_device(), 1.0)
'''
IMPORTS = "import torch\nfrom numba import cuda"
ANSWERS = {
    "total": "def total(x): return x.sum()",
    "add_kernel": """
def add_kernel(x, y, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = x[i] + y[i]
""",
    "on_device": "def on_device(): return 1.0",
}


def notebook(answers, imports=IMPORTS):
    return notebook_of(ANSWERS, answers, [imports], lambda name: 0 if name == "on_device" else 4)


def write(folder, hidden=HIDDEN):
    return written(folder, "made_up", hidden, notebook({}))


@pytest.fixture
def made_up(tmp_path):
    return write(tmp_path)


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """All of it answered rightly, graded without a device."""
    made_up = write(tmp_path_factory.mktemp("made-up"))
    path = made_up.folder / "made_up.ipynb"
    path.write_text(to_text(notebook(ANSWERS)))
    return grade(load(path, made_up), made_up, limits=Limits().on("none"))


# -- without a device ------------------------------------------------------------------------------


def test_torch_and_kernels_are_graded_in_the_sandbox(graded):
    assert graded.report.grader_errors == () and graded.report.autopsy == ()
    statuses = {q.id: (q.status, q.score) for q in graded.report.questions}
    assert statuses == {
        "total": ("passed", 4.0),
        "add_kernel": ("passed", 6.0),
        "on_device": ("skipped", 0.0),
    }


def test_a_skipped_question_costs_nothing_and_says_why(graded):
    report = graded.report
    assert report.points == report.score == 10
    skipped = report.question("on_device")
    assert "no CUDA device" in skipped.note and "extra credit" in skipped.note
    assert skipped.tests == () and skipped.misconception is None


def test_a_skipped_question_stays_so_in_json(graded):
    again = Report.from_json(graded.report.to_json())
    assert again.question("on_device") == graded.report.question("on_device")
    data = graded.report.to_dict()["questions"]
    assert [q["note"] is not None for q in data] == [False, False, True]


def test_reports_of_before_have_no_note(graded):
    text = graded.report.to_json()
    lines = [line for line in text.splitlines() if '"note":' not in line]
    assert len(lines) == len(text.splitlines()) - 3
    assert Report.from_json("\n".join(lines)).question("on_device").note is None


def test_nbgrader_reads_a_zero_for_it_and_people_the_reason(graded):
    cell = next(
        c
        for c in graded.notebook.cells
        if c.metadata.get("nbgrader", {}).get("grade_id") == "on_device-tests"
    )
    assert determine_grade(cell) == (0, 0)
    shown, number = cell.outputs
    assert number["data"]["text/plain"] == "0.0"
    for form in ("text/plain", "text/html"):
        assert "no CUDA device" in shown["data"][form]


def test_every_page_tells_what_was_skipped(graded, capsys):
    skipped, report = graded.report.question("on_device"), graded.report
    for text in (question_html(skipped), question_text(skipped), student_page(report)):
        assert "no CUDA device" in text
    page = class_page("9_made_up", [report], {})
    assert ">○</td>" in page and "○: skipped" in page
    print_report(report)
    told = " ".join(capsys.readouterr().out.split())
    assert "○ on_device" in told and "no CUDA device" in told
    print_class([report])
    assert "○: skipped" in capsys.readouterr().out


def test_a_wrong_kernel_loses_its_own_points_only(made_up, tmp_path):
    unchecked = ANSWERS["add_kernel"].replace("    if i < out.size:\n        ", "    ")
    path = tmp_path / "made_up.ipynb"
    path.write_text(to_text(notebook({**ANSWERS, "add_kernel": unchecked})))
    report = grade(load(path, made_up), made_up).report
    failed = report.question("add_kernel")
    assert (failed.score, failed.status) == (0, "error")
    assert "add_kernel raised IndexError" in failed.tests[0].message
    assert report.question("total").score == 4


def test_a_kernel_that_is_not_written_is_not_attempted(tmp_path):
    by_launch = HIDDEN.replace(
        """        jit = student.library("numba.cuda").jit
        jit(student.find("add_kernel"))[5, 8](x, y, out)
""",
        """        launch = student.library("cnnlab.simulator").launch
        launch(student.find("add_kernel"), 5, 8, x, y, out)
""",
    )
    assert by_launch != HIDDEN
    made_up = write(tmp_path, by_launch)
    path = tmp_path / "handed_in.ipynb"
    path.write_text(to_text(notebook({"total": ANSWERS["total"]})))
    report = grade(load(path, made_up), made_up, limits=Limits().on("none")).report
    assert report.question("add_kernel").status == "not attempted"
    assert report.score == 4


def test_what_an_assignment_does_not_use_stays_forbidden(made_up):
    with Kernel(equipped(Limits(), made_up)) as kernel:
        assert kernel.run_cell("import torch, numba", 20).status == "ok"
        run = kernel.run_cell("import scipy", 20)
    assert run.ename == "ModuleNotFoundError" and "NumPy, torch and numba alone" in run.evalue
    with Kernel(Limits()) as kernel:
        run = kernel.run_cell("import torch", 20)
    assert run.ename == "ModuleNotFoundError" and "with NumPy alone" in run.evalue


def test_the_sandbox_has_no_device_but_the_simulator(made_up):
    limits = equipped(Limits().on("none"), made_up)
    with Kernel(limits) as kernel:
        run = kernel.run_cell(
            "import os, torch; from numba import cuda, config\n"
            "assert config.ENABLE_CUDASIM and not torch.cuda.is_available()\n"
            "assert os.environ['CUDA_VISIBLE_DEVICES'] == ''\n"
            "assert not [name for name in os.listdir('/dev') if 'nvidia' in name]",
            20,
        )
    assert run.status == "ok", run.evalue


SHARED = """
import numba, numpy as np
@cuda.jit
def transpose(x, out):
    tile = cuda.shared.array((SIZE, SIZE), numba.float64)
    i, j = cuda.grid(2)
    row, column = cuda.threadIdx.x, cuda.threadIdx.y
    tile[row, column] = x[i, j]
    cuda.syncthreads()
    out[i, j] = tile[column, row]
x, out = np.arange(1.0 * SIZE * SIZE).reshape(SIZE, SIZE), np.zeros((SIZE, SIZE))
transpose[(1, 1), (SIZE, SIZE)](x, out)
assert (out == x.T).all()
"""


def test_a_block_of_threads_shares_memory_within_the_limits(made_up):
    with Kernel(equipped(Limits().on("none"), made_up)) as kernel:
        assert kernel.run_cell(IMPORTS, 20).status == "ok"
        run = kernel.run_cell(SHARED.replace("SIZE", "8"), 20)
        assert run.status == "ok", run.evalue
        run = kernel.run_cell(SHARED.replace("SIZE", "32"), 20)
        assert run.status == "died" and "more than 256 processes and threads" in run.why


def test_the_packages_are_there_before_the_first_cell(made_up):
    with Kernel(equipped(Limits(), made_up)) as kernel:
        run = kernel.run_cell("import sys; assert {'torch', 'numba'} <= sys.modules.keys()", 20)
    assert run.status == "ok"
    with Kernel(Limits()) as kernel:
        run = kernel.run_cell("import sys; assert 'torch' not in sys.modules", 20)
    assert run.status == "ok"


def test_what_numba_compiles_for_the_processor_can_be_cached(made_up):
    with Kernel(equipped(Limits(), made_up)) as kernel:
        run = kernel.run_cell(
            "from numba import njit\n@njit(cache=True)\ndef f(x): return x + 1\nassert f(1) == 2",
            20,
        )
    assert run.status == "ok", run.evalue


# -- which device ----------------------------------------------------------------------------------


@pytest.fixture
def a_gpu(monkeypatch):
    monkeypatch.setattr(devices, "cuda_devices", lambda: ("Tesla T4, 15360 MiB",))


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(devices, "cuda_devices", lambda: ())


def test_the_device_that_is_there_is_used(a_gpu, made_up):
    assert equipped(Limits(), made_up).has_cuda
    assert not equipped(Limits().on("none"), made_up).has_cuda
    assert equipped(Limits().on("cuda"), made_up).has_cuda


def test_without_one_it_is_none_and_cannot_be_wished_for(no_gpu, made_up):
    limits = equipped(Limits(), made_up)
    assert not limits.has_cuda and limits.device == "none"
    assert equipped(limits, made_up) == limits
    with pytest.raises(NoDevice, match="no CUDA device"):
        equipped(Limits().on("cuda"), made_up)


def test_an_assignment_on_numpy_gets_no_device_and_no_package(a_gpu):
    for assignment in find_assignments().values():
        if not assignment.uses:
            limits = equipped(Limits(), assignment)
            assert not limits.has_cuda and limits.without == WITHOUT


def test_a_device_has_one_of_three_names():
    with pytest.raises(BadLimit, match=r"auto .*, cuda or none, not 'gpu'"):
        Limits().on("gpu")


def test_check_tells_a_missing_package_before_it_imports_it(monkeypatch):
    there = devices.importlib.util.find_spec
    monkeypatch.setattr(
        devices.importlib.util, "find_spec", lambda name: None if name == "torch" else there(name)
    )

    def imports_torch(path):
        raise ModuleNotFoundError(path)

    monkeypatch.setattr(runner, "load_misconceptions", imports_torch)
    with pytest.raises(NoPackages, match=r"pip install -c \S*constraints\.txt torch\n"):
        runner.grade_file(find_assignments()["5_gpu"].release)


def test_a_missing_package_is_told_before_anything_starts(made_up, monkeypatch):
    there = devices.importlib.util.find_spec
    monkeypatch.setattr(
        devices.importlib.util, "find_spec", lambda name: None if name == "numba" else there(name)
    )
    with pytest.raises(NoPackages, match=r"9_made_up is about .* not installed here: numba"):
        equipped(Limits(), made_up)


@pytest.mark.parametrize(
    "script, control, found",
    [
        ("echo 'Tesla T4, 15360 MiB'; echo 'L4, 23034 MiB'", True, 2),
        ("echo 'Tesla T4, 15360 MiB'", False, 0),  # the tool without the driver: in a container
        ("echo 'NVIDIA-SMI has failed'; exit 9", True, 0),
        ("", True, 0),
    ],
)
def test_devices_are_those_that_the_driver_lists(tmp_path, monkeypatch, script, control, found):
    tool, node = tmp_path / "nvidia-smi", tmp_path / "nvidiactl"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    if control:
        node.touch()
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(devices, "CONTROL", (str(node),))
    cuda_devices.cache_clear()
    try:
        assert len(cuda_devices()) == found
    finally:
        cuda_devices.cache_clear()


def command(limits):
    environment = environment_of(Path("/tmp/home"), limits)
    return bubblewrap_command(["true"], limits, environment), environment


def test_only_a_sandbox_that_may_use_the_device_is_given_it(monkeypatch):
    monkeypatch.setattr(devices, "nodes", lambda: ["/dev/nvidia0", "/dev/nvidiactl"])
    monkeypatch.setattr(devices, "folders", lambda: ["/usr/local/cuda-12.4"])
    using = Limits().using(("torch", "numba"))
    for limits in (Limits().on("cuda"), Limits(), using.on("none"), using):
        words, _ = command(limits)
        assert not [word for word in words if "nvidia" in word or "cuda-12" in word]
    words, environment = command(using.on("cuda"))
    bound = words.index("/dev/nvidia0")
    assert words[bound - 1 : bound + 2] == ["--dev-bind-try", "/dev/nvidia0", "/dev/nvidia0"]
    # before /dev becomes read-only, and after it was made
    assert words.index("--dev") < bound < len(words) - words[::-1].index("/dev")
    assert words[words.index("/usr/local/cuda-12.4") - 1] == "--ro-bind-try"
    assert "NUMBA_ENABLE_CUDASIM" not in environment
    assert "CUDA_VISIBLE_DEVICES" not in environment


def test_numba_simulates_only_where_it_is_used_and_no_device_is_there():
    assert "NUMBA_ENABLE_CUDASIM" not in environment_of(Path("/tmp/home"), Limits())
    environment = environment_of(Path("/tmp/home"), Limits().using(("numba",)).on("none"))
    assert environment["NUMBA_ENABLE_CUDASIM"] == "1"
    assert environment["CUDA_VISIBLE_DEVICES"] == ""


def test_with_the_device_its_questions_are_asked(made_up, tmp_path, a_gpu):
    """as far as that can be seen on a machine without one; all others in the simulator as ever"""
    simulated = "bool(os.environ.get('NUMBA_ENABLE_CUDASIM'))"
    answers = {
        **ANSWERS,
        "total": f"def total(x): return x.sum() + (0 if {simulated} else 1)",
        "on_device": f"def on_device(): return 0.0 if {simulated} else 1.0",
    }
    path = tmp_path / "made_up.ipynb"
    last_first = notebook_of(
        {name: ANSWERS[name] for name in ("on_device", "total", "add_kernel")},
        answers,
        [f"import os\n{IMPORTS}"],
        lambda name: 0 if name == "on_device" else 4,
    )
    path.write_text(to_text(last_first))
    report = grade(load(path, made_up), made_up).report
    assert {q.id: q.status for q in report.questions} == dict.fromkeys(ANSWERS, "passed")


@pytest.mark.parametrize("written, devices", [(True, ["cuda", "none"]), (False, [])])
def test_a_kernel_has_the_device_as_long_as_it_is_needed(
    made_up, tmp_path, a_gpu, monkeypatch, written, devices
):
    given, restart = [], Kernel.restart

    def noted(kernel):
        given.append(kernel.limits_at_start.device)
        restart(kernel)

    monkeypatch.setattr(Kernel, "restart", noted)
    answers = {name: ANSWERS[name] for name in ANSWERS if written or name != "on_device"}
    path = tmp_path / "made_up.ipynb"
    path.write_text(to_text(notebook(answers)))
    report = grade(load(path, made_up), made_up).report
    assert given == devices
    assert report.question("on_device").status == ("passed" if written else "not attempted")


# -- what the hidden tests say of it ---------------------------------------------------------------


@pytest.fixture
def hidden(tmp_path):
    def write_text(text):
        path = tmp_path / "test_layers.py"
        path.write_text(text, "utf-8")
        return path

    return write_text


def test_the_packages_are_read_without_importing_the_file(hidden):
    text = 'raise SystemExit("not imported")\nUSES = ("torch", "numba")\n'
    assert read_uses(hidden(text)) == ("torch", "numba")
    assert read_uses(hidden("x = 1\n")) == ()


@pytest.mark.parametrize("value", ['"torch"', '["torch"]', 'tuple("ab")', '("os",)', "(1,)"])
def test_other_packages_are_refused(hidden, value):
    with pytest.raises(BadSource, match=r"line 1 of test_layers\.py: USES is a plain tuple"):
        read_uses(hidden(f"USES = {value}\n"))


@pytest.mark.parametrize("name", OURS)
def test_the_answers_can_never_be_used(hidden, name):
    with pytest.raises(BadSource):
        read_uses(hidden(f'USES = ("{name}",)\n'))


def test_a_question_that_needs_a_device_is_extra_credit(hidden):
    marker = '@question("f", points=2, {}needs="cuda")\nclass A: pass'
    right = read_markers(hidden(marker.format("extra_credit=True, ")))
    assert right == (Question("f", 2, True, needs="cuda"),)
    with pytest.raises(BadSource, match="nobody loses points for their hardware"):
        read_markers(hidden(marker.format("")))
    with pytest.raises(BadSource, match="needs 'tpu'; a question can need 'cuda'"):
        read_markers(hidden(marker.format("extra_credit=True, ").replace("cuda", "tpu")))


def test_using_takes_out_just_these():
    limits = Limits().using(("torch",))
    assert set(WITHOUT) - set(limits.without) == {"torch"} and limits.uses == ("torch",)
    assert limits.but({"memory": "1GB"}).uses == ("torch",)


# -- the doctor ------------------------------------------------------------------------------------


def test_the_doctor_tells_the_device_and_what_is_graded_on_it(made_up, no_gpu, monkeypatch):
    monkeypatch.setattr(doctor, "cuda_devices", lambda: ())
    monkeypatch.setattr(doctor, "find_assignments", lambda: {made_up.name: made_up})
    assert doctor._gpu().state == "note" and "simulator" in doctor._gpu().words
    (finding,) = doctor._uses()
    assert finding.state == "ok" and "graded on the CPU" in finding.words
    assert "torch" in finding.words and "numba" in finding.words


def test_the_doctor_tries_the_device_in_the_sandbox(made_up, a_gpu, monkeypatch):
    """nvidia-smi shows one, and the sandbox does not get the driver's files"""
    monkeypatch.setattr(devices, "nodes", lambda: [])
    monkeypatch.setattr(doctor, "find_assignments", lambda: {made_up.name: made_up})
    (finding,) = doctor._uses()
    assert finding.state == "bad" and "the driver shows none there" in finding.words
    assert "--device none" in finding.words
    works = doctor.A_LAUNCH.replace("if SIMULATED or out[0] != 1", "if out[0] != 1")
    monkeypatch.setattr(doctor, "A_LAUNCH", works)
    (finding,) = doctor._uses()
    assert finding.state == "ok" and "on it" in finding.words


def test_the_doctor_tells_a_package_that_is_missing(made_up, monkeypatch):
    monkeypatch.setattr(doctor, "find_assignments", lambda: {made_up.name: made_up})
    monkeypatch.setattr(devices.importlib.util, "find_spec", lambda name: None)
    (finding,) = doctor._uses()
    assert finding.state == "note" and "pip install" in finding.words
