"""Layers that the grader supplies: right whatever came before, and nobody's way around."""

import importlib.metadata
import io
import os
import signal
import socket
import subprocess
import sys
import time
from multiprocessing.connection import Client
from pathlib import Path

import nbformat
import numpy as np
import pytest
from made_up_assignment import MadeUp, marks, notebook_of, written
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from witness import until

from autograder import doctor, layers, wire
from autograder.errors import BadSource, GraderError, NoTorch
from autograder.kernel import Kernel
from autograder.layers import Layers, carried
from autograder.limits import Limits
from autograder.questions import PROJECT
from autograder.release import to_text
from autograder.runner import grade
from autograder.sandbox import remove_leftovers
from autograder.submission import load
from autograder.workers import in_workers
from solutions import convolution, linear_classifier

pytestmark = pytest.mark.slow

PAIR = ("conv_forward_fast", "conv_backward_fast")
X = np.random.default_rng(0).standard_normal((2, 3, 6, 5))
W, B = np.random.default_rng(1).standard_normal((4, 3, 3, 3)), np.arange(4.0)
PARAM = {"stride": 1, "pad": 1}
SMALL = Limits(cell_seconds=10, call_seconds=5, test_seconds=10, memory=1 << 30)

# -- a small course: a later assignment that builds on the convolution ----------------------------

IMPORTS = """
import numpy as np
from cnnlab.carry import carry
conv_forward_fast, conv_backward_fast = carry("conv_forward_fast", "conv_backward_fast")
"""
ANSWERS = {
    "conv_relu_forward": """
def conv_relu_forward(x, w, b, conv_param):
    out, conv_cache = conv_forward_fast(x, w, b, conv_param)
    return np.maximum(0, out), (conv_cache, out)
""",
    "conv_relu_backward": """
def conv_relu_backward(dout, cache):
    conv_cache, out = cache
    return conv_backward_fast(dout * (out > 0), conv_cache)
""",
    "scale": """
def scale(x, factor):
    return x * factor
""",
}
HIDDEN = '''
import numpy as np
from autograder.compare import assert_close
from autograder.questions import question
from solutions import convolution as reference


def draw(rng):
    shapes = [(2, 3, 7, 5), (4, 3, 3, 3), (4,)]
    return [*(rng.standard_normal(shape) for shape in shapes), {"stride": 2, "pad": 1}]


@question("conv_relu_forward", points=4)
class TestForward:
    def test_it(self, student, rng):
        """the rectified convolution"""
        x, w, b, param = draw(rng)
        out, _ = student.conv_relu_forward(x, w, b, param)
        plain, _ = reference.conv_forward_naive(x, w, b, param)
        assert_close(out, np.maximum(0, plain), name="out")


@question("conv_relu_backward", points=6)
class TestBackward:
    def test_it(self, student, rng):
        """its gradients"""
        x, w, b, param = draw(rng)
        out, cache = student.conv_relu_forward(x, w, b, param)
        plain, plain_cache = reference.conv_forward_naive(x, w, b, param)
        dout = rng.standard_normal(plain.shape)
        right = reference.conv_backward_naive(dout * (plain > 0), plain_cache)
        came = student.conv_relu_backward(dout, cache)
        for name, ours, theirs in zip(("dx", "dw", "db"), came, right, strict=True):
            assert_close(ours, theirs, name=name)


@question("scale", points=1)
class TestScale:
    def test_it(self, student, rng):
        """a multiple"""
        x = rng.standard_normal(4)
        assert_close(student.scale(x, 3.0), 3 * x, name="the result")
'''


def notebook(answers, imports=IMPORTS, extra=()):
    return notebook_of(ANSWERS, answers, [imports, *extra], lambda name: 1)


@pytest.fixture
def later(tmp_path):
    return written(tmp_path, "later", HIDDEN, notebook({}))


@pytest.fixture
def graded(later, tmp_path):
    """Question -> (score, status, first message), of answers handed in."""

    def hand_in(answers, extra=(), imports=IMPORTS, files=None, **options):
        folder = tmp_path / "handed-in"
        folder.mkdir(exist_ok=True)
        (folder / "later.ipynb").write_text(to_text(notebook(answers, imports, extra)))
        for name, text in (files or {}).items():
            (folder / name).write_text(text)
        report = grade(load(folder / "later.ipynb", later), later, **options).report
        assert report.grader_errors == ()
        return {q.id: (q.score, q.status, q.tests[0].message or "") for q in report.questions}

    return hand_in


@pytest.fixture
def supplied():
    """Layers and a kernel that has them."""
    with Layers(PAIR, SMALL) as running, Kernel(SMALL, layers=running) as kernel:
        kernel.run_cell(IMPORTS, 10)
        yield running, kernel


FULL = {"conv_relu_forward": 4.0, "conv_relu_backward": 6.0, "scale": 1.0}


def scores(result):
    return {question: score for question, (score, *_) in result.items()}


def printed(run):
    return "".join(o["text"] for o in run.outputs if o["output_type"] == "stream")


def evaluate(kernel, code, seconds=10):
    run = kernel.run_cell(code, seconds)
    return printed(run).strip() or f"{run.ename}: {run.evalue}"


WORKS = f"""
x = np.arange(36.0).reshape(1, 1, 6, 6); w = np.ones((1, 1, 3, 3))
out, cache = conv_forward_fast(x, w, np.zeros(1), {PARAM})
print(out.sum() == {
    convolution.conv_forward_naive(
        np.arange(36.0).reshape(1, 1, 6, 6), np.ones((1, 1, 3, 3)), np.zeros(1), PARAM
    )[0].sum()
})
"""


# -- what it is for -------------------------------------------------------------------------------


@pytest.mark.parametrize("sandboxed", [True, False])
def test_a_later_answer_is_graded_with_the_graders_layers(graded, sandboxed):
    """the student's earlier notebook is not even there"""
    assert scores(graded(ANSWERS, sandboxed=sandboxed)) == FULL


def test_a_broken_earlier_answer_costs_nothing_here(graded):
    broken = new_notebook(
        cells=[
            new_code_cell(
                "def conv_forward_fast(x, w, b, conv_param):\n    raise ZeroDivisionError",
                metadata=marks("conv_forward_fast", solution=True),
            )
        ]
    )
    assert scores(graded(ANSWERS, files={"fast_layers.ipynb": nbformat.writes(broken)})) == FULL


def test_a_wrong_later_answer_still_loses(graded):
    wrong = ANSWERS["conv_relu_backward"].replace("(out > 0)", "(out < 0)")
    result = graded({**ANSWERS, "conv_relu_backward": wrong})
    assert scores(result) == {**FULL, "conv_relu_backward": 0.0}
    assert scores(graded({})) == dict.fromkeys(FULL, 0.0)


def test_what_the_student_writes_over_the_carried_name_counts(graded):
    """a layer of their own, as they please"""
    own = (
        ANSWERS["conv_relu_forward"] + "\ndef conv_forward_fast(*args):\n    return np.zeros(1), 0"
    )
    assert scores(graded({**ANSWERS, "conv_relu_forward": own}))["conv_relu_forward"] == 0.0


def test_one_server_for_all_submissions_of_a_process(graded):
    graded(ANSWERS)
    process = layers._server(True).process
    start = time.monotonic()
    assert scores(graded(ANSWERS)) == FULL
    assert layers._server(True).process is process
    print(f"a second submission: {time.monotonic() - start:.1f} s")


def in_a_worker(path, student):
    """By module: a worker is a new process."""
    with Layers(PAIR, SMALL) as running, Kernel(SMALL, layers=running) as kernel:
        kernel.run_cell(IMPORTS, 10)
        words = evaluate(kernel, WORKS)
        return f"{words} {os.getpid()} {running.server.inside} {running.server.root}"


def test_each_worker_has_a_server_which_ends_with_it():
    students = {name: Path("somewhere") for name in ("ada", "ben", "cy", "di")}
    answers = [a.result.split() for _, a in in_workers(students, in_a_worker, 2, 300)]
    assert len(answers) == 4 and {words for words, *_ in answers} == {"True"}
    assert len({worker for _, worker, *_ in answers}) == len({tuple(a) for a in answers})
    for _, _, inside, root in answers:
        # the machine's first process may take its time with zombies
        until(lambda inside=inside: not Path("/proc", inside).exists())
        assert not Path(root).exists()


def test_a_carry_line_that_was_deleted_comes_back(graded):
    assert scores(graded(ANSWERS, imports="import numpy as np")) == FULL


def test_an_assignment_that_carries_nothing_starts_no_server(later, graded, monkeypatch):
    plain = "import numpy as np"
    later.release.write_text(to_text(notebook({}, plain)))
    monkeypatch.setattr(layers, "_server", lambda sandboxed: pytest.fail("a server was started"))
    # whatever the submission says
    assert graded({"scale": ANSWERS["scale"]}, imports=plain, extra=[IMPORTS])["scale"][0] == 1.0


# -- the same numbers -----------------------------------------------------------------------------


def test_supplied_layers_are_the_references(supplied):
    _, kernel = supplied
    code = """
def both(x, w, b, param, dout):
    out, cache = conv_forward_fast(x, w, b=b, conv_param=param)
    return out, *conv_backward_fast(dout, cache), *conv_backward_fast(2 * dout, cache), repr(cache)
"""
    kernel.run_cell(code, 5)
    out, cache = convolution.conv_forward_naive(X, W, B, PARAM)
    dout = np.random.default_rng(2).standard_normal(out.shape)
    request = {"op": "call", "target": "both", "number": 0, "kwargs": {}}
    request["args"] = [X, W, B, PARAM, dout]
    came = wire.loads(kernel.request(wire.dumps(request), 5, "both"), lambda r: r)["value"]
    once = convolution.conv_backward_naive(dout, cache)
    for ours, right in zip(came, (out, *once, *(2 * g for g in once)), strict=False):
        np.testing.assert_allclose(ours, right, rtol=1e-9, atol=1e-11)
    assert came[-1] == "<the cache of conv_forward_fast, for its backward pass>"


def test_losses_networks_and_dropout_through_the_door():
    names = ("softmax_loss", "two_layer_forward", "two_layer_backward")
    names += ("dropout_forward", "dropout_backward")
    with Layers(names, SMALL) as running, Kernel(SMALL, layers=running) as kernel:
        kernel.run_cell(f"import numpy as np\nfrom cnnlab.carry import carry\n"
                        f"{', '.join(names)} = carry{names}", 10)  # fmt: skip
        loss, dx = linear_classifier.softmax_loss(np.eye(3), np.array([0, 1, 1]))
        code = f"""
loss, dx = softmax_loss(np.eye(3), [0, 1, 1])
print(np.isclose(loss, {loss}), np.allclose(dx, {dx.tolist()}))
params = dict(W1=np.eye(2), b1=np.zeros(2), W2=np.eye(2), b2=np.ones(2))
scores, cache = two_layer_forward(np.array([[1.0, -1]]), params)
print(scores.tolist(), two_layer_backward(np.ones((1, 2)), cache, 1.0)["W1"].tolist())
out, cache = dropout_forward(np.ones((9, 9)), dict(p=0.5, mode="train"))
print((dropout_backward(np.ones((9, 9)), cache) == out).all(), set(out.ravel()) == {{0, 2}})
"""
        assert evaluate(kernel, code).splitlines() == [
            "True True",
            "[[2.0, 1.0]] [[2.0, 0.0], [-1.0, 1.0]]",
            "True True",
        ]


def test_errors_are_told_as_errors_of_the_call(supplied):
    _, kernel = supplied
    call = "conv_forward_fast(np.ones((1, 1, 4, 4)), np.ones({w}), np.ones(1), {param})"
    for w, param, words in [
        ("(1, 2, 3, 3)", PARAM, "ValueError: convolution does not work for shapes (1, 1, 4, 4), "),
        ("(1, 1, 3, 3)", {"stride": 0, "pad": 0}, "non-positive stride"),
        ("(1, 1, 3, 3)", {"stride": 1}, "KeyError"),
        ("(1, 1, 3, 3)", {"stride": 1, "pad": 10**6}, "MemoryError: the result of convolution"),
        ("(1, 1, 3, 3)", {"stride": 1, "pad": 10**18}, "Error"),
        ("(1, 1, 3000, 3000)", {"stride": 1, "pad": 0}, "takes 64 MB at a time"),
    ]:
        assert words in evaluate(kernel, call.format(w=w, param=param)), (w, param)
    assert "takes arrays of numbers" in evaluate(kernel, "conv_forward_fast(object(), 1, 2, {})")
    assert "Carry both in one line" in evaluate(kernel, "conv_backward_fast(np.ones(1), (1, 2))")
    assert evaluate(kernel, WORKS) == "True"


# -- what it must not give away -------------------------------------------------------------------


def test_neither_torch_nor_an_answer_is_in_the_students_kernel(supplied):
    running, kernel = supplied
    probe = f"""
import glob, os, sys
sys.meta_path[:] = [f for f in sys.meta_path if type(f).__name__ != "NotHere"]
print([m for m in sys.modules if m.split(".")[0] == "torch"])
print([p for b in sys.path for n in ("torch/*", "solutions/*") for p in glob.glob(b + "/" + n)])
print(glob.glob({str(PROJECT)!r} + "/solutions/*"), glob.glob({str(PROJECT)!r} + "/autograder/*"))
print(sorted(os.listdir({str(running.door.socket.parent)!r})))
print([n for n in os.listdir({str(running.server.root)!r}) if not n.startswith("door-")])
print(len([n for n in os.listdir("/proc") if n.isdecimal()]))
"""
    lines = evaluate(kernel, probe).splitlines()
    assert lines[:3] == ["[]", "[]", "[] []"]
    assert lines[3:5] == ["['layers']", "[]"] and int(lines[5]) <= 3
    assert "ModuleNotFoundError" in evaluate(kernel, "import torch") or "no attribute" in evaluate(
        kernel, "import torch; torch.nn"
    )


FIND_THE_DOOR = """
import numpy as np, cnnlab.carry
layer = cnnlab.carry.supplied["conv_forward_fast"]
door = next(c.cell_contents for c in layer.__closure__ if hasattr(c.cell_contents, "path"))
"""


def test_no_other_layer_can_be_had_than_those_that_the_release_carries(supplied):
    _, kernel = supplied
    kernel.run_cell(FIND_THE_DOOR, 5)
    for name, args in (
        ("max_pool_forward_fast", "[np.ones((1, 1, 2, 2)), {'pool_height': 2}]"),
        ("__import__", "['os']"),
        ("conv_forward_naive", "[1, 2, 3, 4]"),
        ("conv_backward_fast", "[np.ones(1), {'cache of': 'relu_forward', 'given': [np.ones(1)]}]"),
    ):
        words = evaluate(kernel, f"door.ask({name!r}, {args})")
        assert words.endswith("is not supplied for this assignment"), name


def test_the_door_is_read_only(supplied):
    running, kernel = supplied
    folder = str(running.door.socket.parent)
    probe = f"""
import os
for act in (lambda: os.remove({folder!r} + "/layers"), lambda: open({folder!r} + "/mine", "w"),
            lambda: os.rename({folder!r}, {folder!r} + "2"), lambda: os.chmod({folder!r}, 0o777),
            lambda: os.symlink("/", {folder!r} + "/link")):
    try:
        act(); print("done")
    except OSError as error:
        print(error.strerror)
"""
    lines = evaluate(kernel, probe).splitlines()
    assert len(lines) == 5 and "done" not in lines
    assert evaluate(kernel, WORKS) == "True"


def test_the_server_sees_neither_answers_nor_network_nor_the_students_files(supplied):
    running, _ = supplied
    inside = Path(f"/proc/{running.server.inside}/root")
    assert (inside / "usr" / "lib").exists()
    for path in (PROJECT / "solutions", PROJECT / "autograder", Path.home() / ".cache"):
        assert not (inside / path.relative_to("/")).exists()
    assert not list((inside / str(running.server.root)[1:]).glob("door-*"))
    links = {os.readlink(f"/proc/{pid}/ns/net") for pid in ("self", running.server.inside)}
    assert len(links) == 2


# -- hostile use ----------------------------------------------------------------------------------

# run in the student's kernel, with PATH for the door's socket
HOSTILE = {
    "garbage": """
import os, socket
for n in range(30):
    s = socket.socket(socket.AF_UNIX); s.connect(PATH)
    try:
        s.sendall(os.urandom(5000))
    except OSError:
        pass
    s.close()
""",
    "a frame of two gigabytes, in words": """
import socket, struct
s = socket.socket(socket.AF_UNIX); s.connect(PATH)
s.sendall(struct.pack("!i", 1) + b"1" + struct.pack("!i", 2**31 - 1) + b"x")
""",
    "a frame of more than memory, in words": """
import socket, struct
s = socket.socket(socket.AF_UNIX); s.connect(PATH)
s.sendall(struct.pack("!i", 1) + b"1" + struct.pack("!i", -1) + struct.pack("!Q", 2**63) + b"x")
""",
    "JSON that is deep": """
from multiprocessing.connection import Client
c = Client(PATH, "AF_UNIX"); c.send_bytes(b"1"); c.send_bytes(b"[" * 500_000)
""",
    "pickle": """
from multiprocessing.connection import Client
import os
class Evil:
    def __reduce__(self): return os._exit, (1,)
for n in range(5):
    c = Client(PATH, "AF_UNIX"); c.send(Evil()); c.close()
""",
    "connections kept open": """
from multiprocessing.connection import Client
kept = []
import threading
def keep():
    for n in range(40):
        kept.append(Client(PATH, "AF_UNIX"))
threading.Thread(target=keep, daemon=True).start()
import time; time.sleep(1)
""",
    "half a request": """
from multiprocessing.connection import Client
half = [Client(PATH, "AF_UNIX") for _ in range(2)]
for c in half: c.send_bytes(b"3"); c.send_bytes(b"{}")
""",
    "work without end": """
import sys, threading, wire
from multiprocessing.connection import Client
x = np.ones((8, 64, 64, 64), np.float32); w = np.ones((256, 64, 9, 9), np.float32)
request = wire.dumps({"name": "conv_forward_fast",
    "args": [x, w, np.ones(256, np.float32), {"stride": 1, "pad": 4}]})
busy = [Client(PATH, "AF_UNIX") for _ in range(2)]
for c in busy:
    for _ in range(3): threading.Thread(target=wire.send, args=(c, request), daemon=True).start()
import time; time.sleep(1)
""",
    "signals to all that can be seen": """
import os, signal
for n in os.listdir("/proc"):
    if n.isdecimal() and int(n) not in (1, os.getpid(), os.getppid()):
        try: os.kill(int(n), signal.SIGKILL)
        except OSError: pass
""",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_use_harms_only_itself(supplied, what):
    """the same submission's next call, after a restart at most, and the next submission"""
    running, kernel = supplied
    process = running.server.process
    path = f"PATH = {str(running.door.socket)!r}\n"
    to_wire = f"import sys; sys.path.append({str(kernel.scratch.bridge)!r})\n"
    kernel.run_cell(path + to_wire + HOSTILE[what], 10)
    assert evaluate(kernel, WORKS) == "True"
    assert running.server.process is process and running.server.is_running()
    running.close()
    with Layers(PAIR, SMALL) as fresh, Kernel(SMALL, layers=fresh) as honest:
        start = time.monotonic()
        assert "the grader's" in evaluate(honest, IMPORTS)
        assert evaluate(honest, WORKS) == "True"
        assert time.monotonic() - start < 20
        assert fresh.server.process is process


def processes_of(server):
    folder = Path(f"/proc/{server.inside}/root/proc")
    return {int(p.name) for p in folder.glob("[0-9]*")}


def test_nothing_of_a_submission_stays_in_the_server(supplied):
    running, kernel = supplied
    idle = processes_of(running.server)
    assert evaluate(kernel, WORKS) == "True"
    assert len(processes_of(running.server)) == len(idle) + 1
    folder = running.door.socket.parent
    running.close()
    assert processes_of(running.server) == idle
    assert not folder.exists()
    # and what still knocks hears nothing
    assert "LayerLost" in evaluate(kernel, "conv_forward_fast(x, w, np.ones(1), {})")


def test_no_more_than_two_connections_are_served_at_a_time(supplied):
    running, _ = supplied
    idle = len(processes_of(running.server))
    kept = [Client(str(running.door.socket), "AF_UNIX") for _ in range(6)]
    until(lambda: len(processes_of(running.server)) >= idle + 2)
    time.sleep(1)  # in which there would be more
    assert len(processes_of(running.server)) == idle + 2
    for connection in kept:
        connection.close()
    until(lambda: len(processes_of(running.server)) == idle)


def test_a_process_that_ends_costs_no_call(supplied):
    """its connection breaks, and the layer is asked for once more"""
    running, kernel = supplied
    assert evaluate(kernel, WORKS) == "True"
    send_inside(running.server, max(processes_of(running.server)), signal.SIGKILL)
    assert evaluate(kernel, WORKS) == "True"


def send_inside(server, number, what):
    """Send a signal to a process of the server's sandbox, by the number that it has there."""
    ours = os.readlink(f"/proc/{server.inside}/ns/pid")
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            numbers = [line for line in status.read_text().splitlines() if line[:5] == "NSpid"]
            theirs = os.readlink(status.parent / "ns" / "pid")
        except OSError:
            continue
        if theirs == ours and numbers[0].split()[-1] == str(number):
            os.kill(int(status.parent.name), what)
            return
    raise AssertionError(f"there is no process {number}")


def test_a_server_that_dies_comes_back_within_the_call(supplied):
    running, kernel = supplied
    assert evaluate(kernel, WORKS) == "True"
    old = running.server.process
    os.kill(running.server.inside, signal.SIGKILL)
    old.wait(10)
    assert evaluate(kernel, WORKS, 60) == "True"
    assert running.server.process is not old and running.revivals == 1


def test_a_server_that_always_dies_is_told_and_costs_the_call(supplied, monkeypatch):
    running, kernel = supplied
    running.server.end()
    monkeypatch.setattr(layers.Server, "start", _start_and_die)
    words = evaluate(kernel, WORKS, 60)
    assert words.startswith("LayerLost: the process that computes conv_forward_fast")
    assert running.revivals == layers.MOST_REVIVALS + 1
    assert evaluate(kernel, "print(1)") == "1"


def _start_and_die(self):
    self.end()
    self.control, theirs = socket.socketpair()
    theirs.close()
    self.words = io.BytesIO()
    self.process = subprocess.Popen(["true"], start_new_session=True)
    self.process.wait()


def test_a_stopped_server_is_replaced(supplied):
    """the next submission does not wait for it"""
    running, _ = supplied
    old = running.server.process
    for number in sorted(processes_of(running.server) - {1}):
        send_inside(running.server, number, signal.SIGSTOP)
    running.close()
    with Layers(PAIR, SMALL) as fresh, Kernel(SMALL, layers=fresh) as kernel:
        kernel.run_cell(IMPORTS, 10)
        assert evaluate(kernel, WORKS) == "True"
        assert fresh.server.process is not old


def test_an_interrupted_call_does_not_answer_the_next_one(supplied):
    _, kernel = supplied
    slow = """
x = np.ones((8, 64, 64, 64), np.float32); w = np.ones((256, 64, 9, 9), np.float32)
conv_forward_fast(x, w, np.ones(256, np.float32), {"stride": 1, "pad": 4})
"""
    assert kernel.run_cell(slow, 0.5).status == "timeout"
    assert kernel.alive
    assert evaluate(kernel, WORKS) == "True"


def test_what_earlier_cells_left_running_costs_no_honest_question(graded):
    flood = (
        FIND_THE_DOOR
        + """
import threading
from multiprocessing.connection import Client
def knock():
    while True:
        try:
            Client(door.path, "AF_UNIX")
        except OSError:
            pass
threading.Thread(target=knock, daemon=True).start()
"""
    )
    assert scores(graded(ANSWERS, extra=[flood])) == FULL


def test_a_lost_layer_gets_a_second_try(graded):
    """as what was lost with the kernel does: with what the cells define, and nothing more"""
    cell = """
class LayerLost(Exception):
    pass
started = []
started.append("by something that is no definition")
"""
    lost = ANSWERS["scale"] + "    \n"
    lost = lost.replace(
        "    return", "    if started:\n        raise LayerLost('gone')\n    return"
    )
    assert scores(graded({**ANSWERS, "scale": lost}, extra=[cell])) == FULL
    always = ANSWERS["scale"].replace("    return", "    raise LayerLost('gone')\n    return")
    result = graded({**ANSWERS, "scale": always}, extra=[cell])
    assert scores(result) == {**FULL, "scale": 0.0}
    assert "LayerLost" in result["scale"][2]


def test_a_hostile_answer_costs_its_own_question(graded):
    hostile = """
def conv_relu_forward(x, w, b, conv_param):
    conv_forward_fast(x, w, b, {"stride": 1, "pad": 50_000})
"""
    result = graded({**ANSWERS, "conv_relu_forward": hostile})
    assert scores(result) == {**FULL, "conv_relu_forward": 0.0, "conv_relu_backward": 0.0}
    assert "MemoryError" in result["conv_relu_forward"][2]
    assert scores(graded(ANSWERS)) == FULL


def test_the_server_ends_with_the_grader():
    code = f"""
import os, signal, sys
from autograder.layers import Layers
from autograder.limits import Limits
opened = Layers({PAIR!r}, Limits())
assert "torch" not in sys.modules
print(opened.server.inside, opened.server.root, flush=True)
os.kill(os.getpid(), signal.{{}})
"""
    for ending in ("SIGCONT", "SIGKILL"):  # in good order; and killed
        said = subprocess.run(
            [sys.executable, "-c", code.format(ending)], stdout=subprocess.PIPE, text=True
        ).stdout
        inside, root = said.split()
        until(lambda inside=inside: not Path("/proc", inside).exists())
        if ending == "SIGKILL":  # what that leaves, the next run removes; here, or another test's
            remove_leftovers()
        assert not Path(root).exists(), ending


# -- which layers an assignment carries -----------------------------------------------------------


def release_of(*sources, tags=()):
    cells = [new_code_cell(s, metadata={"tags": list(tags)} if tags else {}) for s in sources]
    answer = new_code_cell("def conv_forward_fast(): pass")
    answer.metadata = nbformat.from_dict(marks("conv_forward_fast", solution=True))
    return new_notebook(cells=[new_markdown_cell('carry("softmax_loss")'), *cells, answer])


@pytest.mark.parametrize(
    "source, names",
    [
        ('a, b = carry("softmax_loss", "relu_forward")', ("softmax_loss", "relu_forward")),
        (
            'import cnnlab.carry as c\n%time f = 1\nf = c.carry("svm_loss", own=False)',
            ("svm_loss",),
        ),
        ('def f():\n    return carry("svm_loss"), carry("svm_loss")', ("svm_loss",)),
        ('"carry(softmax_loss)"  # carry("svm_loss")', ()),
        ("x = 1", ()),
    ],
)
def test_carried_names_are_read_from_the_release(source, names):
    assert carried(release_of(source)) == names


@pytest.mark.parametrize(
    "source, words",
    [
        ("carry(*names)", "name the functions one by one"),
        ('carry("conv_foward_fast")', "there is no such layer"),
        ('carry("conv_forward_fast")', "the answer to conv_forward_fast"),
        ('carry("conv_forward_naive")', "the answer to conv_forward_fast"),
    ],
)
def test_what_cannot_be_supplied_fails_the_build(source, words):
    with pytest.raises(BadSource, match=words):
        carried(release_of(source))
    assert carried(release_of(source, tags=["skip-execution"])) == ()


# -- without torch --------------------------------------------------------------------------------


def test_without_torch_the_person_at_the_keyboard_reads_what_to_do(graded, monkeypatch):
    found = layers.importlib.util.find_spec
    monkeypatch.setattr(
        layers.importlib.util, "find_spec", lambda name: None if name == "torch" else found(name)
    )
    with pytest.raises(NoTorch, match=r"carries layers of earlier ones \(conv_forward_fast, conv_"):
        graded(ANSWERS)


def test_a_server_that_does_not_start_says_why(monkeypatch):
    server = layers.Server(sandboxed=True)
    try:
        (server.code / "layer_server.py").write_text("import no_such_module_at_all")
        monkeypatch.setattr(layers, "_server", lambda sandboxed: server)
        with pytest.raises(GraderError, match="No module named 'no_such_module_at_all'"):
            Layers(PAIR, SMALL)
        assert not server.is_running() and not list(server.root.glob("door-*"))
    finally:
        server.close()


def test_the_doctor_says_what_torch_is_for(later, monkeypatch):
    assert "supplies the layers" in doctor._torch().words

    def none(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", none)
    found = {"9_later": later, "8_other": MadeUp("8_other", "other")}
    monkeypatch.setattr(doctor, "find_assignments", lambda: found)
    finding = doctor._torch()
    assert finding.state == "bad" and "Grading 9_later needs it" in finding.words
    monkeypatch.setattr(doctor, "find_assignments", dict)
    assert doctor._torch().state == "note"
