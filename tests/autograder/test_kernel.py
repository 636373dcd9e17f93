"""The sandboxed kernel: what runs, what is stopped, and what cannot be reached."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from autograder import wire
from autograder.errors import KernelDied, TimedOut
from autograder.kernel import Kernel
from autograder.limits import Limits
from autograder.questions import PROJECT
from autograder.sandbox import check_sandbox

SMALL = Limits(cell_seconds=5, test_seconds=5, memory=1 << 30, output=10_000)


@pytest.fixture(scope="module")
def kernel():
    with Kernel(SMALL) as running:
        yield running


@pytest.fixture
def fresh_kernel():
    with Kernel(SMALL) as running:
        yield running


def printed(run):
    return "".join(o["text"] for o in run.outputs if o["output_type"] == "stream")


def call(kernel, name, *args, seconds=5.0):
    request = {"op": "call", "target": name, "number": 0, "args": list(args), "kwargs": {}}
    return wire.loads(kernel.request(wire.dumps(request), seconds, name), lambda ref: ref)


def test_a_cell_runs_and_its_outputs_come_back(kernel):
    run = kernel.run_cell("print('hello')\n6 * 7", 5)
    assert run.status == "ok"
    assert printed(run) == "hello\n"
    assert run.outputs[-1]["data"]["text/plain"] == "42"


def test_an_exception_is_an_error_and_the_kernel_goes_on(kernel):
    run = kernel.run_cell("1 / 0", 5)
    assert (run.status, run.ename) == ("error", "ZeroDivisionError")
    assert kernel.run_cell("1", 5).status == "ok"


def test_a_plot_comes_back_as_a_picture(kernel):
    run = kernel.run_cell("import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()", 20)
    assert [o for o in run.outputs if "image/png" in o.get("data", {})]


def test_the_embedded_pictures_load_without_a_network(kernel):
    run = kernel.run_cell('from cnnlab.data import load\nprint(load("toys"))', 60)
    assert "<toys: 4,000 train" in str(run.outputs)


def test_a_function_is_called_with_arrays(kernel):
    kernel.run_cell("def twice(x):\n    print('noise')\n    return x * 2", 5)
    answer = call(kernel, "twice", np.arange(3.0))
    np.testing.assert_array_equal(answer["value"], [0, 2, 4])


def test_names_that_the_student_shadows_do_not_matter(kernel):
    kernel.run_cell("list = tuple = len = np = wire = print = 3\ndef one(): return 1", 5)
    assert call(kernel, "one") == {"value": 1}
    kernel.run_cell("del list, tuple, len, print", 5)


def test_the_students_line_is_named(kernel):
    kernel.run_cell("def broken(x):\n    y = x + 1\n    return y[7]", 5)
    answer = call(kernel, "broken", np.zeros(2))
    assert answer["ename"] == "IndexError" and answer["where"] == "return y[7]"


def test_a_long_cell_is_interrupted_and_keeps_its_state(fresh_kernel):
    fresh_kernel.run_cell("kept = 1", 5)
    start = time.monotonic()
    assert fresh_kernel.run_cell("while True: pass", 0.5).status == "timeout"
    assert time.monotonic() - start < 4
    assert fresh_kernel.alive and fresh_kernel.run_cell("kept", 5).status == "ok"


def test_a_cell_that_catches_interrupts_is_ended(fresh_kernel):
    stubborn = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
    assert fresh_kernel.run_cell(stubborn, 0.5).status == "timeout"
    assert not fresh_kernel.alive
    fresh_kernel.restart()
    assert fresh_kernel.run_cell("1", 5).status == "ok"


def test_a_call_that_never_ends_times_out(fresh_kernel):
    fresh_kernel.run_cell("def forever():\n    while True: pass", 5)
    with pytest.raises(TimedOut, match=r"forever took longer than its limit of 0\.5 s"):
        call(fresh_kernel, "forever", seconds=0.5)


def test_a_call_that_kills_the_process_is_told_as_that(fresh_kernel):
    fresh_kernel.run_cell("import os\ndef die(): os._exit(3)", 5)
    with pytest.raises(KernelDied, match="died while running die"):
        call(fresh_kernel, "die")
    with pytest.raises(KernelDied):
        call(fresh_kernel, "die")


def test_too_much_memory_is_a_memory_error(kernel):
    run = kernel.run_cell("import numpy\nnumpy.ones((40_000, 40_000))", 5)
    assert run.ename in ("MemoryError", "_ArrayMemoryError")


def test_a_flood_of_output_is_cut(fresh_kernel):
    run = fresh_kernel.run_cell("for i in range(200_000): print('x' * 50)", 20)
    assert len(printed(run)) < 2 * SMALL.output
    assert "cut by the grader" in printed(run)


def test_a_result_that_is_too_large_does_not_reach_the_grader():
    with Kernel(Limits(message=1 << 20)) as kernel:
        kernel.run_cell("import numpy\ndef big(): return numpy.zeros(1_000_000)", 5)
        assert "8 MB" in call(kernel, "big")["evalue"]
        # and where the bridge was told otherwise, it does not come through either
        kernel.run_cell("type(get_ipython().kernel).largest_message = 1 << 40", 5)
        with pytest.raises((TimedOut, KernelDied)):
            call(kernel, "big", seconds=1.0)


def test_packages_that_would_give_the_answer_are_not_there(kernel):
    for name in ("torch", "scipy", "solutions", "autograder"):
        run = kernel.run_cell(f"import {name}", 5)
        assert run.ename == "ModuleNotFoundError", name


def test_who_only_asks_for_a_package_gets_no_exception(kernel):
    probe = """
import importlib.util
spec = importlib.util.find_spec("scipy")
print(getattr(spec, "origin", None))
"""
    assert printed(kernel.run_cell(probe, 5)).strip() == "None"


def test_forbidden_packages_cannot_be_had_by_path_either(kernel):
    probe = f"""
import glob, sys
sys.meta_path[:] = [f for f in sys.meta_path if type(f).__name__ != "NotHere"]
names = [base + "/" + name for base in sys.path for name in ("torch/*", "scipy/*")]
names += [{str(PROJECT)!r} + "/solutions/*", {str(PROJECT)!r} + "/autograder/*"]
found = [path for name in names for path in glob.glob(name)]
print(found)
"""
    assert printed(kernel.run_cell(probe, 5)).strip() == "[]"


def open_below_the_ephemeral_ports() -> socket.socket:
    """A server where nothing in the kernel listens: its debugger takes an ephemeral port, any."""
    for port in range(20_000, 30_000):
        with contextlib.suppress(OSError):
            return socket.create_server(("127.0.0.1", port))
    raise AssertionError("no port is free")


def test_there_is_no_network(kernel):
    with open_below_the_ephemeral_ports() as server:
        port = server.getsockname()[1]
        run = kernel.run_cell(
            f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)", 5
        )
        assert run.status == "error"
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):
            server.accept()


def test_the_graders_files_processes_and_environment_are_not_there(kernel, tmp_path, monkeypatch):
    secret = tmp_path / "gradebook.db"
    secret.write_text("secret")
    hidden = [secret, PROJECT / "solutions", PROJECT / ".git", Path.home() / ".cache"]
    paths = [*map(str, hidden), "/etc/shadow", "/var/log"]
    probe = f"""
import os, glob
print([p for p in {paths!r} if os.path.exists(p)])
print(len(glob.glob("/proc/[0-9]*")))
print(sorted(k for k in os.environ if "SECRET" in k))
"""
    monkeypatch.setenv("MY_SECRET", "1")
    with Kernel(SMALL) as locked_in:
        lines = printed(locked_in.run_cell(probe, 5)).splitlines()
    assert lines[0] == "[]"
    assert int(lines[1]) <= 3  # bubblewrap's init and the kernel
    assert lines[2] == "[]"


def test_only_the_scratch_folder_can_be_written(kernel):
    probe = """
import os, sys
import cnnlab
for folder in [os.path.dirname(cnnlab.__file__), sys.prefix, "/usr", "/", "/etc", "/proc/sys"]:
    try:
        open(os.path.join(folder, "mine"), "w").close(); print("wrote", folder)
    except OSError:
        pass
open("mine", "w").write("yes"); print(open("mine").read())
"""
    assert printed(kernel.run_cell(probe, 5)) == "yes\n"


def test_no_process_and_no_file_is_left_behind():
    with Kernel(SMALL) as kernel:
        root = kernel.scratch.root
        kernel.run_cell(
            "import subprocess\nsubprocess.Popen(['sleep', '4711'], start_new_session=True)", 5
        )
    assert not root.exists()
    time.sleep(0.2)
    commands = [
        path.read_bytes()
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if os.access(path, os.R_OK)
    ]
    assert not [c for c in commands if b"4711" in c and b"sleep" in c]


def test_files_beside_the_notebook_can_be_read(tmp_path):
    (tmp_path / "helper.py").write_text("ANSWER = 42")
    with Kernel(SMALL, files={"sub/helper.py": tmp_path / "helper.py"}) as kernel:
        run = kernel.run_cell("import sys; sys.path.append('sub'); import helper; helper.ANSWER", 5)
        assert run.outputs[-1]["data"]["text/plain"] == "42"


def test_it_runs_without_the_sandbox_when_told_so():
    with Kernel(SMALL, sandboxed=False) as kernel:
        assert kernel.run_cell("1 + 1", 10).status == "ok"
        assert kernel.run_cell("import torch", 5).ename == "ModuleNotFoundError"


def test_a_missing_bubblewrap_is_explained():
    code = (
        "from autograder.sandbox import check_sandbox\n"
        "from autograder.errors import NoSandbox\n"
        "try: check_sandbox()\nexcept NoSandbox as e: print(e)"
    )
    environment = {**os.environ, "PATH": str(Path(sys.executable).parent)}
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert "apt-get install bubblewrap" in said and "--no-sandbox" in said


def test_the_sandbox_of_this_machine_works():
    assert "bubblewrap" in check_sandbox()


def test_exit_in_a_cell_ends_the_cell_only(fresh_kernel):
    for word in ("exit()", "quit()", "import sys; sys.exit()"):
        fresh_kernel.run_cell(word, 5)
        time.sleep(0.3)
        assert fresh_kernel.run_cell("1", 5).status == "ok", word


def test_messages_that_pile_up_do_not_fill_the_graders_memory():
    """the kernel sends 300 MB while the grader is busy elsewhere; the grader then ends it"""
    flood = """
import threading
thread = get_ipython().kernel.iopub_thread
def send():
    for _ in range(30): thread.socket.send_multipart([b"stream", bytes(10 << 20)])
threading.Timer(0.5, thread.schedule, [send]).start()
"""
    with Kernel(Limits(backlog=100 << 20)) as kernel:
        kernel.run_cell(flood, 15)
        time.sleep(2)
        assert kernel.run_cell("1", 5).status == "died"
        assert not kernel.alive


def test_json_that_grows_when_it_is_parsed_is_not_parsed():
    bomb = """
import wire
def small(): return 1
wire.dumps = lambda *a, **k: [b'{"value":[' + b'{"":[]},' * 1_000_000 + b'0]}']
"""
    with Kernel(SMALL) as kernel:
        kernel.run_cell("import sys\nsys.path.append(sys.modules['wire'].__file__)\n" + bomb, 5)
        with pytest.raises(wire.WireError, match="MB of JSON"):
            call(kernel, "small")


def test_packages_that_would_give_the_answer_are_nowhere_on_the_disk(kernel):
    """those of the system's own Python, too; and what hides them cannot be written to"""
    probe = f"""
import os
found = []
for root, folders, files in os.walk("/"):
    folders[:] = [f for f in folders if os.path.join(root, f) not in ("/proc", "/sys", "/dev")]
    if root.endswith("-packages"):
        for name in {sorted({"torch", "scipy", "solutions", "autograder"})!r}:
            if os.path.isdir(os.path.join(root, name)):
                found.append((name, os.listdir(os.path.join(root, name))))
                try:
                    open(os.path.join(root, name, "mine"), "w").close(); print("wrote", root)
                except OSError: pass
print([f for f in found if f[1]])
"""
    assert printed(kernel.run_cell(probe, 20)).strip() == "[]"


def test_a_project_inside_of_what_is_mounted_is_hidden(tmp_path):
    """a checkout below the interpreter's own folder, as some containers have it"""
    code = f"""
import sys
from pathlib import Path
from autograder import questions, sandbox
project = Path({str(tmp_path)!r}) / "prefix" / "project"
for name in ("solutions", ".git", "starter/cnnlab"):
    (project / name).mkdir(parents=True)
    (project / name / "answers.py").write_text("secret")
sandbox.PROJECT = project
folders = sandbox._python_folders()
sandbox._python_folders = lambda: [project.parent, *folders]
from autograder.kernel import Kernel
from autograder.limits import Limits
with Kernel(Limits()) as kernel:
    find = "import glob; print(glob.glob({str(tmp_path)!r} + '/**', recursive=True))"
    run = kernel.run_cell(find, 9)
print(run.outputs[0]["text"])
"""
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT
    ).stdout
    assert "prefix/project'" in said and "solutions" not in said and ".git" not in said


def test_a_socket_replaced_by_a_link_is_not_knocked_at(tmp_path):
    """the grader would connect, from outside of the sandbox, to what the link names"""
    with Kernel(Limits(cell_seconds=5)) as kernel:
        path = tmp_path / "door"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.bind(str(path))
            door.listen()
            run = kernel.run_cell(
                "import glob, os, time\n"
                "for name in glob.glob('/tmp/cnnlab-*/ipc/*'):\n"
                "    if not name.endswith('.json'):\n"
                f"        os.remove(name); os.symlink({str(path)!r}, name)\n"
                "time.sleep(3)",
                5,
            )
            assert run.status == "died" and "folder of the kernel's sockets" in run.why
            door.settimeout(0.2)
            with pytest.raises(TimeoutError):
                door.accept()


def test_a_header_full_of_dates_does_not_hold_the_grader():
    """jupyter_client would look at each of them, for seconds a message"""
    code = """
kernel = get_ipython().kernel
parent = kernel.get_parent()
dates = {str(n): "2026-01-02T03:04:05.678901Z" for n in range(100_000)}
parent = {"header": {**parent["header"], **dates}}
for _ in range(4):
    kernel.session.send(kernel.iopub_socket, "stream", {"name": "stdout", "text": "x"}, parent)
print("after")
"""
    with Kernel(Limits()) as kernel:
        start = time.process_time()
        run = kernel.run_cell(code, 60)
        assert printed(run) == "after\n"
        assert time.process_time() - start < 3


def test_a_kernel_that_is_never_idle_is_not_waited_for(fresh_kernel):
    drip = """
import threading, time
kernel = get_ipython().kernel
parent = kernel.get_parent()
kernel._publish_status = lambda *args, **kwargs: None
kernel._publish_status_and_flush = lambda *args, **kwargs: None
def drip():
    for _ in range(300):
        kernel.session.send(kernel.iopub_socket, "stream", {"name": "stdout", "text": "."}, parent)
        time.sleep(0.03)
threading.Thread(target=drip, daemon=True).start()
"""
    start = time.monotonic()
    run = fresh_kernel.run_cell(drip, 5)
    assert run.status == "ok" and "." in printed(run)
    assert time.monotonic() - start < 4


def test_an_exceptions_long_name_is_cut(kernel):
    run = kernel.run_cell("raise type('E' * 100_000, (Exception,), {})('x' * 100_000)", 5)
    assert run.status == "error" and len(run.ename) <= 200 and len(run.evalue) <= 2000


def test_a_message_of_many_frames_counts_as_one():
    """ØMQ's own limit is for each of them"""
    frames = "kernel = get_ipython().kernel\ntype(kernel).largest_message = 1 << 40\n"
    frames += "kernel._answer = lambda frames: [bytes(1 << 20)] * 40\ndef f(): return 1"
    with Kernel(Limits(message=4 << 20)) as kernel:
        kernel.run_cell(frames, 5)
        with pytest.raises(TimedOut):
            call(kernel, "f", seconds=1.0)


def test_the_machines_settings_cannot_be_written(kernel):
    """for root, files of /proc/sys need no capability: core_pattern would run a program as root"""
    probe = """
import os
for top in os.listdir("/proc"):
    if top.isdecimal() or top in ("self", "thread-self"):
        continue
    places = [os.path.join("/proc", top)]
    places += [os.path.join(r, f) for r, _, files in os.walk(places[0]) for f in files]
    for place in places:
        try:
            os.close(os.open(place, os.O_WRONLY | os.O_NONBLOCK))
            print("opened", place)
        except OSError:
            pass
print("looked")
"""
    assert printed(kernel.run_cell(probe, 20)) == "looked\n"


@pytest.mark.parametrize("closed", [(0,), (1,), (0, 1), (0, 1, 2)])
def test_it_starts_where_standard_streams_are_closed(closed, tmp_path):
    """as by `autograder grade … >&-`: what is opened next gets their numbers"""
    said = tmp_path / "said"
    code = f"""
import os
for number in {closed!r}:
    os.close(number)
from pathlib import Path
from autograder.kernel import Kernel
from autograder.limits import Limits
try:
    with Kernel(Limits()) as kernel:
        words = kernel.run_cell("1", 9).status
except Exception as error:
    words = str(error)
Path({str(said)!r}).write_text(words)
"""
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False, capture_output=True)
    assert said.read_text() == "ok"
