"""Submissions that look for answers, tests, scores and secrets where they should not see."""

from __future__ import annotations

from autograder.questions import PROJECT

from .corpus import ASSIGNMENT, EVERYTHING, HONEST, QUESTIONS, HandIn, but, case

# Takes a text that may hold answers, and uses the answers if it does.
TRY_TEXT = """
import re
def _try_text(text, where=""):
    if isinstance(text, bytes):
        text = text.decode("utf-8", "ignore")
    if "TOKEN-" in text:
        print("HOSTILE" + "-WON", where, text[:200])
    if "BEGIN SOLUTION" in text or "def test_slides" in text or "assert_close(" in text:
        print("HOSTILE" + "-WON", where)
        exec(text, globals())
"""


def asks(search: str, question: str = "conv_forward_naive") -> dict[str, str]:
    """One question's cell: looks around, and is wrong unless the search has found the answer."""
    arguments = {"conv_forward_naive": "x, w, b, conv_param"}.get(question, "*args")
    return {
        question: f"{TRY_TEXT}\ndef {question}({arguments}):\n    return np.zeros((1, 1)), None\n"
        f"\ndef _search():\n{indent(search)}\n"
        "try:\n    _search()\nexcept Exception as error:\n    print(type(error).__name__, error)\n"
    }


def indent(code: str) -> str:
    return "".join(f"    {line}\n" for line in code.strip("\n").splitlines())


PLACES = [
    f"{PROJECT}/solutions/convolution.py",
    f"{PROJECT}/autograder/hidden/test_conv_layers.py",
    f"{PROJECT}/solutions/{ASSIGNMENT}/conv_layers.ipynb",
]
WRONG_FORWARD = but("conv_forward_naive")


@case(deserves=WRONG_FORWARD)
def opens_the_references(hand_in: HandIn):
    """The references and hidden tests by their path, by open, os, mmap and a subprocess."""
    hand_in.solved(
        **asks(f"""
import mmap, os, subprocess
for place in {PLACES!r}:
    for read in (lambda: open(place).read(),
                 lambda: os.read(os.open(place, 0), 10**6),
                 lambda: subprocess.run(["cat", place], capture_output=True).stdout,
                 lambda: bytes(mmap.mmap(os.open(place, 0), 0, prot=mmap.PROT_READ))):
        try:
            _try_text(read(), place)
        except (OSError, ValueError) as error:
            pass
""")
    )


@case(deserves=WRONG_FORWARD)
def walks_the_disk(hand_in: HandIn):
    """Every file that can be seen, from / on, is searched for the answers and the secrets."""
    hand_in.solved(
        **asks("""
import os, time
end = time.monotonic() + 2
for top in ("/home", "/root", "/opt", "/srv", "/mnt", "/work", "/var", "/tmp", "/run", "/etc"):
    for parent, folders, names in os.walk(top):
        folders[:] = [f for f in folders if f not in ("site-packages", "lib", "proc")]
        for name in names:
            if name.endswith((".py", ".ipynb", ".txt", ".db", ".csv", "_ed25519", ".netrc")):
                try:
                    _try_text(open(os.path.join(parent, name), "rb").read(10**6), parent)
                except OSError:
                    pass
            if time.monotonic() > end:
                return
""")
    )


@case(deserves=WRONG_FORWARD)
def imports_the_references(hand_in: HandIn):
    """import solutions and autograder, with every finder, path hook and editable install."""
    hand_in.solved(
        **asks(f"""
import glob, importlib, os, site, sys
sys.meta_path[:] = [f for f in sys.meta_path if type(f).__name__ != "NotHere"]
for folder in site.getsitepackages():
    for path in glob.glob(folder + "/*.pth") + glob.glob(folder + "/__editable__*"):
        text = open(path).read()
        sys.path += [line for line in text.splitlines() if line.startswith("/")]
        if path.endswith(".py"):
            exec(text, globals())
            sys.path += [os.path.dirname(m) for m in globals().get("MAPPING", {{}}).values()]
sys.path += [{str(PROJECT)!r}]
for name in ("solutions.convolution", "autograder.hidden.test_conv_layers", "autograder.compare"):
    try:
        module = importlib.import_module(name)
    except ImportError:
        continue
    print("HOSTILE" + "-WON", module)
    globals().update(vars(module))
""")
    )


@case(deserves=WRONG_FORWARD)
def imports_what_is_forbidden(hand_in: HandIn):
    """torch, scipy, skimage and their kin: from here, from the system, from the base install."""
    hand_in.solved(
        **asks("""
import glob, importlib, os, sys
sys.meta_path[:] = [f for f in sys.meta_path if type(f).__name__ != "NotHere"]
for lib in ("/usr/lib", "/usr/local/lib", sys.base_prefix + "/lib"):
    sys.path += glob.glob(lib + "/python3*/*-packages")
for name in ("torch", "scipy.signal", "skimage", "sklearn", "numba", "jax", "tensorflow", "cv2"):
    try:
        module = importlib.import_module(name)
    except ImportError:
        continue
    if getattr(module, "__file__", None):
        print("HOSTILE" + "-WON", module)
    if name == "torch":
        conv2d = module.nn.functional.conv2d
        def conv_forward_naive(x, w, b, p):
            x, w, b = map(module.tensor, (x, w, b))
            return conv2d(x, w, b, p["stride"], p["pad"]).numpy(), None
        globals()["conv_forward_naive"] = conv_forward_naive
""")
    )


@case(deserves=WRONG_FORWARD, says="ans.py")
def links_to_the_references(hand_in: HandIn):
    """Symbolic links to files, to folders, to links, absolute and relative, beside the notebook."""
    hand_in.link("ans.py", PLACES[0])
    hand_in.link("solutions", PROJECT / "solutions")
    hand_in.link("more/tests.py", "../ans.py")
    up = "../" * 40
    hand_in.link("relative.py", f"{up}{PLACES[0]}")
    hand_in.link("self", ".")
    hand_in.link("root", "/")
    hand_in.link("cwd", "/proc/self/cwd")
    hand_in.solved(
        **asks("""
import os
for name in ("ans.py", "solutions/convolution.py", "more/tests.py", "relative.py",
             "root/etc/shadow", "cwd/ans.py"):
    try:
        _try_text(open(name).read(), name)
    except OSError:
        pass
try:
    import ans
    globals().update(vars(ans))
except ImportError:
    pass
""")
    )


@case(deserves=EVERYTHING)
def hard_links_to_the_references(hand_in: HandIn):
    """A hard link cannot be told from a file; here one to a file of the student's own."""
    hand_in.solved()
    own = hand_in.file("mine.txt", "my own text")
    (hand_in.folder / "linked.txt").hardlink_to(own)


@case(deserves=WRONG_FORWARD)
def links_made_in_the_sandbox(hand_in: HandIn):
    """Links and hard links made while running, at the names that the grader reads and writes."""
    hand_in.solved(
        **asks(f"""
import os
for target in {PLACES!r}:
    for make in (os.symlink, os.link):
        for name in ("report.json", "conv_layers.ipynb", "../bridge/wire.py", "../ipc/x"):
            try:
                make(target, name)
                _try_text(open(name).read(), name)
            except OSError:
                pass
""")
    )


@case(deserves=WRONG_FORWARD)
def reads_the_secrets(hand_in: HandIn):
    """Keys, .netrc, history and scores in the home folder of who grades."""
    hand_in.solved(
        **asks(f"""
import os
from pathlib import Path
home = Path({str(hand_in.around.secrets)!r}).parent
homes = [home, Path("/root"), *Path("/home").glob("*"), Path.home(), Path("~root").expanduser()]
for folder in homes:
    for name in ("secrets/token.txt", ".ssh/id_ed25519", ".netrc", ".bashrc", "grades.csv",
                 ".bash_history", ".config/gh/hosts.yml", ".pypirc"):
        try:
            _try_text((folder / name).read_bytes(), folder)
        except OSError:
            pass
""")
    )


@case(deserves=WRONG_FORWARD)
def reads_other_submissions(hand_in: HandIn):
    """The best student's notebook and notes, in every folder of the course."""
    course = hand_in.folder.parents[2]
    first = next(iter(HONEST))
    hand_in.link("other", f"../../{first}/{ASSIGNMENT}")
    hand_in.solved(
        **asks(f"""
import glob, json
for step in ("submitted", "autograded", "feedback", ".cnnlab/submitted", "released"):
    for course in ({str(course)!r}, "../../..", ".."):
        for path in glob.glob(f"{{course}}/{{step}}/{first}/{ASSIGNMENT}/*") + glob.glob("other/*"):
            text = open(path).read()
            _try_text(text, path)
            for cell in json.loads(text).get("cells", []) if path.endswith("ipynb") else ():
                print("HOSTILE" + "-WON", path)
                exec("".join(cell["source"]), globals())
for path in glob.glob("/tmp/cnnlab-*/work/*") + glob.glob("/tmp/pytest-of-*/**", recursive=True):
    if not path.startswith(__import__("os").getcwd()) and path.endswith((".ipynb", ".txt")):
        _try_text(open(path).read(), path)
""")
    )


@case(deserves=WRONG_FORWARD)
def writes_the_gradebook(hand_in: HandIn):
    """gradebook.db by sqlite3: first all scores of everybody, then a better one for itself."""
    course = hand_in.folder.parents[2]
    hand_in.solved(
        **asks(f"""
import sqlite3
for place in ({str(course)!r}, "..", "../..", "../../.."):
    try:
        with sqlite3.connect(f"file:{{place}}/gradebook.db?mode=rw", uri=True) as db:
            print("HOSTILE" + "-WON", db.execute("select * from student").fetchall())
            db.execute("update grade set manual_score = 1000")
    except sqlite3.Error:
        pass
""")
    )


@case(deserves=WRONG_FORWARD)
def reads_the_environment(hand_in: HandIn):
    """Its own environment, that of every process, and what Python remembers of it."""
    hand_in.solved(
        **asks("""
import glob, os, subprocess, sys
_try_text(repr(dict(os.environ)), "os.environ")
_try_text(subprocess.run("env; set; export -p", shell=True, capture_output=True).stdout, "env")
for path in glob.glob("/proc/[0-9]*/environ") + ["/proc/self/environ", "/proc/1/environ"]:
    try:
        _try_text(open(path, "rb").read(), path)
    except OSError:
        pass
if any("SECRET" in name or "TOKEN" in name for name in os.environ):
    print("HOSTILE" + "-WON")
""")
    )


@case(deserves=WRONG_FORWARD)
def looks_through_proc(hand_in: HandIn):
    """/proc: other processes' files, roots, folders, command lines, maps and memory."""
    hand_in.solved(
        **asks(f"""
import glob, os
for pid in filter(str.isdigit, os.listdir("/proc")):
    for suffix in ("/root" + {PLACES[0]!r}, "/cwd/solutions/convolution.py", "/cwd/gradebook.db",
                   "/cmdline", "/environ"):
        try:
            _try_text(open("/proc/" + pid + suffix, "rb").read(10**6), suffix)
        except OSError:
            pass
    for fd in glob.glob(f"/proc/{{pid}}/fd/*"):
        try:
            target = os.readlink(fd)
            if not target.startswith(("/dev", "/memfd", "/proc", "/tmp")) and "/" in target:
                _try_text(open(fd, "rb").read(10**6), target)
        except OSError:
            pass
for path in ("/proc/kcore", "/dev/mem", "/dev/kmem", "/proc/kmsg", "/proc/kallsyms"):
    try:
        data = open(path, "rb").read(100)
    except OSError:
        continue
    if path != "/proc/kallsyms" and data.strip(b"\\0"):
        print("HOSTILE" + "-WON", path)
""")
    )


@case(deserves=WRONG_FORWARD)
def reads_the_graders_memory(hand_in: HandIn):
    """process_vm_readv, ptrace and /proc/PID/mem of the parent, of 1 and of all that there are."""
    hand_in.solved(
        **asks("""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
class IOVec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
buffer = ctypes.create_string_buffer(4096)
for pid in {os.getppid(), *map(int, filter(str.isdigit, os.listdir('/proc')))} - {os.getpid()}:
    local, remote = IOVec(ctypes.addressof(buffer), 4096), IOVec(0x400000, 4096)
    libc.process_vm_readv(pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
    libc.ptrace(16, pid, 0, 0)
    try:
        maps = open(f"/proc/{pid}/maps").readlines()
        memory = open(f"/proc/{pid}/mem", "rb", 0)
    except OSError:
        continue
    for line in maps[:50]:
        start, end = (int(n, 16) for n in line.split()[0].split("-"))
        try:
            memory.seek(start)
            data = memory.read(min(end - start, 10**6))
        except (OSError, ValueError, OverflowError):
            continue
        if b"autograder.hidden" in data or b"BEGIN SOLUTION" in data:
            print("HOSTILE" + "-WON", pid)
""")
    )


@case(deserves=WRONG_FORWARD)
def looks_at_frames(hand_in: HandIn):
    """The frames of its callers and of all threads, for what a hidden test holds."""
    hand_in.solved(
        conv_forward_naive="""
import sys, threading
def conv_forward_naive(x, w, b, conv_param):
    frames = [sys._getframe(), *sys._current_frames().values()]
    for frame in frames:
        while frame:
            for where in (frame.f_locals, frame.f_globals):
                if "expected" in where or "right_cache" in where or "assert_close" in where:
                    print("HOSTILE" + "-WON", frame)
                    return where["expected"], None
            frame = frame.f_back
    return np.zeros((1, 1, 1, 1)), None
"""
    )


@case(deserves=WRONG_FORWARD)
def looks_through_the_garbage(hand_in: HandIn):
    """gc.get_objects and the referrers of its arguments: functions, modules and arrays of tests."""
    hand_in.solved(
        conv_forward_naive="""
import gc, types
def conv_forward_naive(x, w, b, conv_param):
    found = list(gc.get_objects()) + [o for a in (x, w, b) for o in gc.get_referrers(a)]
    for thing in found:
        if isinstance(thing, types.FunctionType) and thing.__module__ is not None:
            if thing.__module__.split(".")[0] in ("solutions", "autograder"):
                print("HOSTILE" + "-WON", thing)
                return thing(x, w, b, conv_param)
        if isinstance(thing, dict) and "expected" in thing and "out" in thing:
            return thing["expected"], None
    return np.zeros((1, 1, 1, 1)), None
"""
    )


@case(deserves=WRONG_FORWARD)
def looks_at_the_history(hand_in: HandIn):
    """IPython's history, In and Out, its database, and the connection file's folder."""
    hand_in.solved(
        **asks("""
import glob, json, os
shell = get_ipython()
for text in [*shell.user_ns.get("In", []), *map(repr, shell.user_ns.get("Out", {}).values())]:
    if "_try_text" not in text and "def test_slides" in text:
        _try_text(text, "In")
for path in glob.glob("../**", recursive=True) + glob.glob("/tmp/**", recursive=True):
    if os.path.isfile(path) and path.endswith((".sqlite", ".ipynb", ".log", "history")):
        _try_text(open(path, "rb").read(10**6), path)
""")
    )


@case(deserves=WRONG_FORWARD)
def reads_byte_code(hand_in: HandIn):
    """__pycache__ of solutions and autograder, pytest's rewritten tests, and .git's objects."""
    hand_in.solved(
        **asks(f"""
import glob, marshal, zlib
patterns = ["solutions/__pycache__/*", "autograder/**/__pycache__/*", ".git/objects/*/*"]
for pattern in patterns:
    for path in glob.glob({str(PROJECT)!r} + "/" + pattern, recursive=True):
        data = open(path, "rb").read()
        print("HOSTILE" + "-WON", path)
        if path.endswith(".pyc"):
            exec(marshal.loads(data[16:]), globals())
""")
    )


@case(deserves=WRONG_FORWARD)
def mounts_and_breaks_out(hand_in: HandIn):
    """A user namespace of its own, mount, chroot, /proc/1/root, setns, su and sudo."""
    hand_in.solved(
        **asks(f"""
import ctypes, os, subprocess
libc = ctypes.CDLL(None, use_errno=True)
pid = os.fork()
if pid == 0:
    os.chdir("/")
    libc.unshare(0x10000000 | 0x00020000)
    libc.mount(b"proc", b"/proc", b"proc", 0, None)
    libc.mount(b"/", b"/tmp", None, 4096 | 16384, None)
    for name in ("mnt", "user", "pid", "net"):
        try:
            libc.setns(os.open(f"/proc/1/ns/{{name}}", 0), 0)
        except OSError:
            pass
    libc.umount2(b"/tmp", 2)
    libc.umount2({str(PROJECT).encode()!r}, 2)
    try:
        os.chroot("/proc/1/root")
        os.chroot("../../../..")
    except OSError:
        pass
    for place in {PLACES!r}:
        if os.path.exists(place):
            os.system("echo > hostile-out")
    os._exit(0)
os.waitpid(pid, 0)
if os.path.exists("hostile-out"):
    print("HOSTILE" + "-WON")
for command in (["sudo", "-n", "cat"], ["su", "-c", "cat"], ["bwrap", "--bind", "/", "/", "cat"],
                ["unshare", "-Ur", "cat"], ["nsenter", "-t", "1", "-a", "cat"]):
    try:
        ran = subprocess.run([*command, {PLACES[0]!r}], capture_output=True, timeout=1, stdin=-3)
        _try_text(ran.stdout, command)
    except (OSError, subprocess.TimeoutExpired):
        pass
""")
    )


@case(deserves=but(*list(QUESTIONS)[3:]))
def writes_where_it_should_not(hand_in: HandIn):
    """Files into the project, the home, the interpreter, cnnlab, the bridge, /etc and /dev/shm."""
    places = [
        str(PROJECT),
        str(PROJECT / "solutions"),
        str(PROJECT / "starter" / "cnnlab"),
        str(hand_in.around.secrets),
        str(hand_in.folder.parents[2]),
        "/",
        "/etc",
        "/usr",
        "/var/tmp",
        "/dev/shm",
        "/tmp",
    ]
    attack = f"""
import os, site, sys
import cnnlab
for folder in [*{places!r}, sys.prefix, sys.base_prefix, *site.getsitepackages(), "..", "../ipc",
               "../bridge", os.path.dirname(cnnlab.__file__), os.path.expanduser("~")]:
    for mode in ("x", "a"):
        try:
            with open(os.path.join(folder, "hostile-was-here"), mode) as file:
                file.write("x")
        except OSError:
            pass
"""
    right = {q: hand_in.answers[q] for q in list(QUESTIONS)[:3]}
    hand_in.starter(**right)
    hand_in.after("conv_output_size", attack)
