"""Submissions that use up time, memory, processes, disk, and the grader's patience.

Each ends by itself, or at a size that a machine survives: where a limit does not hold, a test
fails, and nothing else. ``bomb`` marks those that take gigabytes or thousands all the same.
"""

from __future__ import annotations

from .corpus import EVERYTHING, HandIn, but, case
from .reading import indent

LOST = "avg_pool_backward_naive"  # no other question's tests call it
BUT_ONE = but(LOST)
HANGS = but(LOST, status="timeout")


def does(code: str, before: str = "") -> dict[str, str]:
    """The one function that misbehaves when it is called."""
    function = f"def {LOST}(dout, cache):\n{indent(code)}    return np.zeros((1, 1))\n"
    return {LOST: f"{before}\n{function}"}


SOON = "import time\n_end = time.monotonic() + 30\ndef _on(): return time.monotonic() < _end\n"


# -- time -----------------------------------------------------------------------------------------


@case(deserves=EVERYTHING, says="too long")
def loops_in_a_cell(hand_in: HandIn):
    """An endless loop in a cell of its own: the answers in other cells count."""
    hand_in.solved().before("receptive_field", "while True:\n    pass")


@case(deserves=EVERYTHING, says="too long")
def loops_in_a_cell_and_catches_interrupts(hand_in: HandIn):
    """A loop that catches what should end it, in a cell of its own."""
    hand_in.solved().before(
        "conv_cost",
        "while True:\n    try:\n        while True:\n            pass\n"
        "    except BaseException:\n        pass",
    )


@case(deserves=but("conv_cost"), says="conv_cost")
def loops_in_the_answers_cell(hand_in: HandIn):
    """The answer's own cell never comes to the function's definition."""
    hand_in.solved()
    cell = hand_in.cells["conv_cost"]
    cell.source = "import itertools\nfor _ in itertools.count():\n    pass\n" + cell.source


@case(deserves=HANGS, says="limit")
def loops_in_a_function(hand_in: HandIn):
    """An endless loop, when called."""
    hand_in.solved(**does("while True:\n    pass"))


@case(deserves=HANGS)
def loops_in_a_function_and_catches_interrupts(hand_in: HandIn):
    """A loop that catches KeyboardInterrupt and all else, when called; SIGINT is ignored too."""
    hand_in.solved(
        **does("""
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
while True:
    try:
        while True:
            pass
    except BaseException:
        continue
    finally:
        pass
""")
    )


@case(deserves=HANGS)
def loops_in_c(hand_in: HandIn):
    """One step of Python that takes for ever: a power, which holds the interpreter's lock."""
    hand_in.solved(**does("10 ** 10 ** 10"))


@case(deserves=HANGS)
def loops_in_a_regular_expression(hand_in: HandIn):
    """Catastrophic backtracking."""
    hand_in.solved(**does('import re\nre.match("(a+)+$", "a" * 60 + "b")'))


@case(deserves=HANGS)
def sleeps_in_c(hand_in: HandIn):
    """sleep() of the C library with all signals blocked."""
    hand_in.solved(
        **does("""
import ctypes, signal
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
ctypes.PyDLL(None).sleep(1000)
""")
    )


@case(deserves=HANGS)
def waits_for_a_lock(hand_in: HandIn):
    """A deadlock: two locks, and a thread that is never joined."""
    hand_in.solved(
        **does("""
import threading
lock = threading.Lock()
lock.acquire()
lock.acquire()
""")
    )


@case(deserves=BUT_ONE)
def hangs_while_it_is_read(hand_in: HandIn):
    """The function returns at once; its result hangs when the bridge looks at it."""
    hand_in.solved(
        **does(
            "return Slow()",
            """
class Slow(dict):
    def __len__(self):
        while True: pass
    items = __iter__ = __len__
    @property
    def __class__(self):
        while True: pass
""",
        )
    )


@case(deserves=BUT_ONE)
def hangs_in_its_exception(hand_in: HandIn):
    """Raises an exception whose text takes for ever, and whose name is a megabyte long."""
    hand_in.solved(
        **does(
            "raise type('E' * 10**6, (Slow,), {})",
            """
class Slow(Exception):
    def __str__(self):
        while True: pass
    __repr__ = __str__
""",
        )
    )


@case(deserves=EVERYTHING)
def sleeps_at_the_end(hand_in: HandIn):
    """Cell after cell that sleeps almost as long as it may: the notebook's limit ends it."""
    hand_in.solved()
    for _ in range(30):
        hand_in.insert(len(hand_in.notebook.cells), "import time; time.sleep(3.5)")


@case(deserves=EVERYTHING)
def leaves_daemons_asleep(hand_in: HandIn):
    """Processes that outlive their parents, in sessions of their own, and ignore signals."""
    hand_in.solved().before(
        "conv_output_size",
        """
import os, signal, time
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in range(1, 65):
                try:
                    signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError):
                    pass
            for fd in range(256):
                try:
                    os.close(fd)
                except OSError:
                    pass
            time.sleep(600)
        os._exit(0)
""",
    )


@case(deserves=EVERYTHING)
def burns_the_processor_aside(hand_in: HandIn):
    """Two threads and a process that count for ever beside honest functions."""
    hand_in.solved().before(
        "conv_output_size",
        """
import os, threading, time
_end = time.monotonic() + 20
def _burn():
    while time.monotonic() < _end:
        sum(range(1000))
for _ in range(2):
    threading.Thread(target=_burn, daemon=True).start()
if os.fork() == 0:
    _burn()
    os._exit(0)
""",
    )


@case(deserves=BUT_ONE)
def blocks_the_event_loop(hand_in: HandIn):
    """Stops and floods the asyncio loop that the kernel itself runs on."""
    hand_in.solved(
        **does("""
import asyncio
loop = get_ipython().kernel.io_loop.asyncio_loop
def again():
    for _ in range(10):
        loop.call_soon_threadsafe(again)
loop.call_soon_threadsafe(again)
loop.stop()
while True:
    pass
""")
    )


# -- death ----------------------------------------------------------------------------------------


@case(deserves=BUT_ONE, says="died")
def kills_the_kernel(hand_in: HandIn):
    """SIGKILL to itself."""
    hand_in.solved(**does("import os\nos.kill(os.getpid(), 9)"))


@case(deserves=BUT_ONE, says="died")
def crashes_the_kernel(hand_in: HandIn):
    """A null pointer."""
    hand_in.solved(**does("import ctypes\nctypes.string_at(0)"))


@case(deserves=BUT_ONE, says="died")
def exits_at_once(hand_in: HandIn):
    """os._exit(0), as if all had gone well."""
    hand_in.solved(**does("import os\nos._exit(0)"))


@case(deserves=but("conv_output_size", "avg_pool_forward_naive"))
def exits_politely(hand_in: HandIn):
    """exit(), quit(), sys.exit() and do_shutdown, in cells and in functions."""
    hand_in.solved(
        conv_output_size="def conv_output_size(*args):\n    raise SystemExit(0)\n",
        avg_pool_forward_naive="def avg_pool_forward_naive(*args):\n"
        "    get_ipython().kernel.do_shutdown(False)\n    quit()\n",
    )
    hand_in.before("conv_cost", "exit()")
    hand_in.before("receptive_field", "import sys; sys.exit(3)")
    hand_in.before("conv_forward_naive", "get_ipython().ask_exit()")


@case(deserves=BUT_ONE)
def kills_everything(hand_in: HandIn):
    """kill -9 of its parent, of its group, of 1, and of all that it can reach."""
    hand_in.solved(
        **does("""
import os
for pid in (os.getppid(), 1, 2, 3, 4):
    try:
        os.kill(pid, 9)
    except OSError:
        pass
os.killpg(0, 9)
""")
    )


@case(deserves=BUT_ONE)
def kills_all_processes(hand_in: HandIn):
    """kill(-1, SIGKILL) from a process of its own, then its own end."""
    hand_in.solved(
        **does("""
import os, time
if os.fork() == 0:
    os.kill(-1, 9)
    os._exit(0)
time.sleep(0.5)
os.abort()
""")
    )


@case(deserves=but(LOST, status="timeout"))
def stops_the_kernel(hand_in: HandIn):
    """SIGSTOP to itself: the process is there, and does nothing any more."""
    hand_in.solved(**does("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"))


@case(deserves=BUT_ONE)
def stops_everything(hand_in: HandIn):
    """SIGSTOP to all that it can reach, its parent first, itself last."""
    hand_in.solved(
        **does("""
import os, signal
for pid in (os.getppid(), 1, -1, 0, os.getpid()):
    try:
        os.kill(pid, signal.SIGSTOP)
    except OSError:
        pass
""")
    )


@case(deserves=BUT_ONE)
def kills_the_kernel_a_moment_later(hand_in: HandIn):
    """A result comes back; the process ends just when the next call is made."""
    hand_in.solved(
        **does("""
import os, threading
threading.Timer(0.05, os._exit, [1]).start()
""")
    )


@case(deserves=BUT_ONE)
def closes_its_files(hand_in: HandIn):
    """Closes every file descriptor, sockets to the grader included, and waits."""
    hand_in.solved(**does("import os, time\nos.closerange(0, 4096)\ntime.sleep(100)"))


@case(deserves=BUT_ONE, says="(?i)recursion|died|crash")
def recurses(hand_in: HandIn):
    """Recursion without end, with the limit raised to a billion."""
    hand_in.solved(**does(f"import sys\nsys.setrecursionlimit(10**9)\nreturn {LOST}(dout, cache)"))


@case(deserves=BUT_ONE)
def recurses_in_its_result(hand_in: HandIn):
    """A list that holds itself, nested 100,000 deep, and a dict of dicts."""
    hand_in.solved(
        **does("""
deep = []
deep.append(deep)
for _ in range(100_000):
    deep = [deep]
return deep, {"cache": deep}
""")
    )


# -- memory ---------------------------------------------------------------------------------------


@case(deserves=BUT_ONE, says="(?i)memory|allocate|GB")
def takes_memory_at_once(hand_in: HandIn):
    """One array of 100 GB."""
    hand_in.solved(**does("return np.ones(100 * 10**9 // 8), None"))


@case(deserves=BUT_ONE, says="(?i)memory|allocate|GB|longer")  # where memory is slow, time is first
def takes_memory_bit_by_bit(hand_in: HandIn):
    """A list that grows, up to 6 GB; MemoryError is caught."""
    hand_in.solved(
        **does(
            """
kept = []
try:
    while _on() and len(kept) < 60:
        kept.append(np.ones(10**8 // 8))
finally:
    kept = None
""",
            SOON,
        )
    )


@case(deserves=BUT_ONE, says="(?i)memory|GB|longer", bomb=True)  # as above
def takes_memory_by_many_processes(hand_in: HandIn):
    """12 processes of 500 MB each: none of them takes more than it may, together they do."""
    hand_in.solved(
        **does(
            """
import os
for _ in range(12):
    if os.fork() == 0:
        kept = np.ones(500 * 10**6 // 8)
        while _on():
            time.sleep(0.1)
        os._exit(0)
while _on():
    time.sleep(0.1)
""",
            SOON,
        )
    )


@case(deserves=BUT_ONE, bomb=True)
def takes_memory_without_a_process(hand_in: HandIn):
    """4 GB in anonymous files, in /dev/shm and in System V segments, which are nobody's memory."""
    hand_in.solved(
        **does(
            """
import os
block = b"x" * (10 << 20)
for number in range(40):
    for open_file in (lambda: os.memfd_create("m"),
                      lambda: os.open(f"/dev/shm/m{number}", os.O_CREAT | os.O_WRONLY),
                      lambda: os.open(f"/tmp/m{number}", os.O_CREAT | os.O_WRONLY)):
        try:
            fd = open_file()
            for _ in range(4):
                os.write(fd, block)
        except OSError:
            pass
while _on():
    time.sleep(0.1)
""",
            SOON,
        )
    )


@case(deserves=BUT_ONE, says="(?i)memory|not permitted", bomb=True)
def takes_memory_and_lets_go_of_it(hand_in: HandIn):
    """5 GB in shared maps that are written to and then given up, which leaves them in memory."""
    hand_in.solved(
        **does(
            """
import mmap
kept = []
for _ in range(50):
    shared = mmap.mmap(-1, 100 << 20)
    for begin in range(0, 100 << 20, 10 << 20):
        shared[begin : begin + (10 << 20)] = bytes(10 << 20)
        shared.madvise(mmap.MADV_DONTNEED, begin, 10 << 20)
    kept.append(shared)
while _on():
    time.sleep(0.1)
""",
            SOON,
        )
    )


@case(deserves=BUT_ONE, says="(?i)memory|permi|no such device", bomb=True)
def maps_the_device_of_zeros(hand_in: HandIn):
    """5 GB in shared maps of /dev/zero, all but one page of which is unmapped again."""
    hand_in.solved(
        **does(
            """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype, size = ctypes.c_void_p, 100 << 20
zeros = os.open("/dev/zero", os.O_RDWR)
for _ in range(50):
    place = libc.mmap(None, ctypes.c_size_t(size), 3, 1, zeros, ctypes.c_long(0))
    if place == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    ctypes.memset(ctypes.c_void_p(place), 1, size)
    libc.munmap(ctypes.c_void_p(place + 4096), ctypes.c_size_t(size - 4096))
while _on():
    time.sleep(0.1)
""",
            SOON,
        )
    )


@case(deserves=BUT_ONE, says="(?i)memory|GB|longer", bomb=True)  # as above
def takes_memory_without_a_main_thread(hand_in: HandIn):
    """12 processes of 500 MB each whose first thread has ended: Linux says that they have none."""
    hand_in.solved(
        **does(
            """
import ctypes, os, platform, threading
def take():
    kept = np.ones(500 * 10**6 // 8)
    while _on():
        time.sleep(0.1)
    os._exit(0)
for _ in range(12):
    if os.fork() == 0:
        threading.Thread(target=take).start()
        ctypes.CDLL(None).syscall(60 if platform.machine() == "x86_64" else 93, 0)
while _on():
    time.sleep(0.1)
""",
            SOON,
        )
    )


@case(deserves=BUT_ONE)
def returns_a_large_array(hand_in: HandIn):
    """400 MB of zeros as a result: more than any right answer."""
    hand_in.solved(**does("return np.zeros(50 * 10**6), None"))


@case(deserves=BUT_ONE)
def returns_an_enormous_array_without_memory(hand_in: HandIn):
    """Views with strides of zero, that claim petabytes, or 2^62 empty rows."""
    hand_in.solved(
        **does(
            """
global calls
calls += 1
shape = [(10**9, 10**6), (2**31, 2**20), (2**40, 0)][calls % 3]
if calls % 3 == 2:
    return np.zeros((0,)).reshape(0, 2**40), None
return np.broadcast_to(np.zeros(1), shape), np.broadcast_to(np.float32(1), shape)
""",
            "calls = 0",
        )
    )


@case(deserves=BUT_ONE)
def returns_a_million_things(hand_in: HandIn):
    """Lists and dicts of a million numbers, texts, handles; object arrays; a text of 500 MB."""
    hand_in.solved(
        **does(
            """
global calls
calls += 1
return [
    ([0] * 10**6, None),
    ({str(i): i for i in range(10**6)}, None),
    ([object() for _ in range(99_999)], [object()] * 99_999),
    (np.full((100, 100, 100), None), None),
    ("x" * (500 << 20), None),
    (10 ** 10**6, None),
    ([[0.5] * 1000] * 1000, None),
    tuple([np.zeros(1)] * 50_000),
    (["x" * 9_999] * 9_999, None),
][calls % 9]
""",
            "calls = 0",
        )
    )


@case(deserves=BUT_ONE)
def lies_about_its_length(hand_in: HandIn):
    """Objects with lengths of 2^62, of -1, and of text; with attributes that make more objects."""
    hand_in.solved(
        **does(
            "return Lies()",
            """
class Lies:
    calls = 0
    def __len__(self):
        Lies.calls += 1
        return [2**62, -1, "two", 2][Lies.calls % 4]
    def __getitem__(self, key): return [Lies()] * 50_000
    def __getattr__(self, name): return Lies()
Lies.__name__ = Lies.__qualname__ = "x" * 10**6
""",
        )
    )


# -- processes, threads, files, disk --------------------------------------------------------------


@case(deserves=BUT_ONE, says="(?i)process|task|thread|memory", bomb=True)
def forks(hand_in: HandIn):
    """A fork bomb: each process makes two, up to 3,000."""
    hand_in.solved(
        **does(
            """
import mmap, os
with open("count", "w+b") as file:
    file.truncate(8)
    count = mmap.mmap(file.fileno(), 8)
made = np.frombuffer(count, np.int64)
while _on() and made[0] < 3000:
    try:
        if os.fork() == 0:
            made[0] += 1
    except OSError:
        time.sleep(0.01)
while _on():
    time.sleep(0.2)
""",
            SOON,
        )
    )


@case(deserves=BUT_ONE, says="(?i)process|task|thread", bomb=True)
def starts_threads(hand_in: HandIn):
    """3,000 threads that wait."""
    hand_in.solved(
        **does(
            """
import threading
threading.stack_size(1 << 16)
def wait():
    while _on():
        time.sleep(0.5)
for _ in range(3000):
    try:
        threading.Thread(target=wait, daemon=True).start()
    except RuntimeError:
        time.sleep(0.01)
wait()
""",
            SOON,
        )
    )


@case(deserves=BUT_ONE)
def opens_files(hand_in: HandIn):
    """File descriptors until there are no more, kept open: pipes, sockets, files."""
    hand_in.solved(
        **does("""
import os, socket
kept = []
try:
    while len(kept) < 100_000:
        kept += [os.pipe(), socket.socketpair(), open("/dev/null")]
except OSError:
    pass
globals()["kept"] = kept
raise OSError("no more files")
""")
    )


@case(deserves=BUT_ONE, says="(?i)disk|file|space|MB")
def writes_one_large_file(hand_in: HandIn):
    """A file of 2 GB in its own folder."""
    hand_in.solved(
        **does("""
with open("large", "wb") as file:
    for _ in range(200):
        file.write(b"x" * 10**7)
""")
    )


@case(deserves=BUT_ONE, says="(?i)disk|space|MB", bomb=True)
def writes_many_files(hand_in: HandIn):
    """2 GB in files of 50 MB, in every folder that can be written."""
    hand_in.solved(
        **does("""
import os
for number in range(10):
    for folder in (".", "/tmp", os.path.expanduser("~"), "../ipc"):
        with open(f"{folder}/large{number}", "wb") as file:
            for _ in range(5):
                file.write(b"x" * 10**7)
""")
    )


@case(deserves=BUT_ONE, says="folder of the kernel's sockets")
def writes_where_nobody_may_look(hand_in: HandIn):
    """300 MB into the folder of the sockets, which is then open for writing, but not to be read."""
    hand_in.solved(
        **does(
            """
import os
mounts = [line.split()[4] for line in open("/proc/self/mountinfo")]
folder = next(place for place in mounts if place.endswith("/ipc"))
os.chmod(folder, 0o300)
for number in range(30):
    with open(f"{folder}/large{number}", "wb") as file:
        file.write(bytes(10 << 20))
    time.sleep(0.01)
while _on():
    time.sleep(0.1)
""",
            SOON,
        )
    )


@case(deserves=BUT_ONE, says="folder of the kernel's sockets")
def writes_behind_names_that_change(hand_in: HandIn):
    """300 MB into the folder of the sockets, among files that are renamed all the time."""
    hand_in.solved(
        **does(
            """
import os
mounts = [line.split()[4] for line in open("/proc/self/mountinfo")]
folder = next(place for place in mounts if place.endswith("/ipc"))
for name in os.listdir(folder):
    os.unlink(f"{folder}/{name}")
for number in range(4):
    open(f"{folder}/{number}-0", "w").close()
    if os.fork() == 0:
        count = 0
        while _on():
            os.rename(f"{folder}/{number}-{count}", f"{folder}/{number}-{count + 1}")
            count += 1
        os._exit(0)
for number in range(30):
    with open(f"{folder}/large{number}", "wb") as file:
        file.write(bytes(10 << 20))
while _on():
    time.sleep(0.1)
""",
            SOON,
        )
    )


@case(deserves=BUT_ONE, says="(?i)disk|file|space", bomb=True)
def makes_many_files(hand_in: HandIn):
    """100,000 empty files, folders and links."""
    hand_in.solved(
        **does(
            """
import os
for number in range(33_000):
    open(f"f{number}", "w").close()
    os.mkdir(f"d{number}")
    os.symlink("f0", f"l{number}")
    if not _on():
        break
""",
            SOON,
        )
    )


@case(deserves=BUT_ONE)
def nests_folders(hand_in: HandIn):
    """Folders 3,000 deep that nobody may enter, with names of 200 characters."""
    hand_in.solved(
        **does("""
import os
for number in range(3000):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
    if number % 100 == 99:
        os.chmod(".", 0)
""")
    )


# -- output and messages --------------------------------------------------------------------------


@case(deserves=EVERYTHING)
def prints_one_long_line(hand_in: HandIn):
    """200 MB in one line on stdout, and one on stderr."""
    hand_in.solved().before(
        "conv_cost",
        "import sys\nsys.stdout.write('x' * (200 << 20))\nsys.stderr.write('y' * (200 << 20))",
    )


@case(deserves=EVERYTHING)
def prints_many_lines(hand_in: HandIn):
    """Half a million lines, on stdout and stderr in turns, flushed."""
    hand_in.solved().before(
        "conv_cost",
        "import sys\nfor i in range(250_000):\n    print(i)\n    print(i, file=sys.stderr)\n"
        "    if i % 1000 == 0: sys.stdout.flush()",
    )


@case(deserves=EVERYTHING)
def prints_for_ever(hand_in: HandIn):
    """Prints in a thread that does not end, while honest functions are called."""
    hand_in.solved().before(
        "conv_cost",
        SOON + "import threading\ndef _prints():\n    while _on():\n        print('x' * 1000)\n"
        "        time.sleep(0.0005)\nthreading.Thread(target=_prints, daemon=True).start()",
    )


@case(deserves=BUT_ONE)
def prints_when_called(hand_in: HandIn):
    """Each call prints 20 MB, and returns nothing."""
    hand_in.solved(**does("for _ in range(20): print('x' * 10**6)"))


@case(deserves=EVERYTHING)
def displays_html_and_images(hand_in: HandIn):
    """Tables of 30 MB, a thousand pictures, an SVG and JSON without end, display ids updated."""
    hand_in.solved().before(
        "conv_cost",
        """
import base64
from IPython.display import HTML, JSON, SVG, clear_output, display, update_display
display(HTML("<table>" + "<tr><td>x</td></tr>" * 1_500_000 + "</table>"))
display(HTML("<b>" * 100_000))
picture = base64.b64encode(b"\\x89PNG" + bytes(10**5)).decode()
for _ in range(200):
    display({"image/png": picture}, raw=True)
display({"image/svg+xml": "<svg>" + "<g>" * 10**6}, raw=True)
display({"application/json": {"a": [0] * 10**6}}, raw=True)
display({f"x-custom/{i}": "x" * 1000 for i in range(10_000)}, raw=True)
for _ in range(2000):
    display("x", display_id="same")
    update_display("y", display_id="same")
    clear_output()
"x" * 10**7
""",
    )


@case(deserves=EVERYTHING)
def displays_html_that_grows(hand_in: HandIn):
    """Unclosed tags, each of which a browser opens again in each paragraph: 60 kB become 150 MB."""
    hand_in.solved().before(
        "conv_cost",
        """
from IPython.display import HTML, display
for _ in range(3):
    display(HTML("".join(f"<b title={number}><p>" for number in range(3700))))
""",
    )


@case(deserves=EVERYTHING)
def prints_what_takes_more_room_as_json(hand_in: HandIn):
    """A megabyte of control characters in each of ten cells: each is six characters in the file."""
    hand_in.solved()
    for _ in range(10):
        hand_in.before("conv_cost", "print('\\x01' * 999_000)")


@case(deserves=BUT_ONE)
def holds_code_that_cannot_be_written_again(hand_in: HandIn):
    """Sums, calls and numbers that Python reads and runs, and that no program prints as code."""
    hand_in.solved(**does("import os\nos._exit(3)"))
    hand_in.before("conv_cost", "total = 0" + " + 1" * 400)
    hand_in.before("conv_cost", "large = 0x" + "f" * 10_000)
    hand_in.before("conv_cost", "def same(): return same\nf = same" + "()" * 400)
    hand_in.before("conv_cost", "negative = " + "-" * 150 + "1")


@case(deserves=EVERYTHING)
def hundreds_of_cells(hand_in: HandIn):
    """300 cells of its own, each with a line of output and ten of error."""
    hand_in.solved()
    for _ in range(300):
        hand_in.insert(3, "print('x'); undefined")


@case(deserves=BUT_ONE)
def floods_the_messages(hand_in: HandIn):
    """Replies and outputs that nobody asked for, without a pause, by the kernel's own sockets."""
    hand_in.solved(
        **does(
            """
kernel = get_ipython().kernel
parent = kernel.get_parent("shell") if hasattr(kernel, "get_parent") else {}
block = b"x" * 10**6
while _on():
    for _ in range(100):
        kernel.session.send(kernel.iopub_socket, "stream", {"name": "stdout", "text": "x" * 1000},
                            parent=parent)
    kernel.session.send(kernel.iopub_socket, "display_data", {"data": {}}, parent=parent,
                        buffers=[block])
""",
            SOON,
        )
    )


@case(deserves=BUT_ONE)
def sends_enormous_messages(hand_in: HandIn):
    """Messages of 300 MB, of a million frames, of JSON that is nested 10^6 deep, of no frames."""
    hand_in.solved(
        **does("""
kernel = get_ipython().kernel
socket = kernel.iopub_socket
socket = getattr(socket, "io_thread", socket)
socket = getattr(socket, "socket", socket)
for frames in ([b"x" * (300 << 20)], [b""] * 10**6, [b"[" * 10**6], [b"<IDS|MSG>"], [b""],
               [b"<IDS|MSG>", b"", b"{}", b"{}", b"{}", b"[" * 10**6]):
    socket.send_multipart(frames)
raise RuntimeError("sent")
""")
    )


@case(deserves=BUT_ONE)
def leaves_the_grader_waiting(hand_in: HandIn):
    """Says that it is idle and done, says it again and again, and never replies."""
    hand_in.solved(
        **does(
            """
kernel = get_ipython().kernel
while _on():
    kernel.session.send(kernel.iopub_socket, "status", {"execution_state": "idle"})
    time.sleep(0.01)
""",
            SOON,
        )
    )


@case(deserves=BUT_ONE)
def raises_a_long_text(hand_in: HandIn):
    """An exception with a text of 500 MB, from 900 frames deep, in a chain of a thousand."""
    hand_in.solved(
        **does("""
def deep(n):
    if n:
        return deep(n - 1)
    error = None
    for _ in range(1000):
        following = ValueError("x" * 100)
        following.__cause__ = error
        error = following
    raise ValueError("x" * (500 << 20)) from error
deep(900)
""")
    )


@case(deserves=but("receptive_field"))
def crashes_beside_long_expressions(hand_in: HandIn):
    """It ends the process, in a notebook with a sum of a thousand terms and a very long number."""
    hand_in.solved(receptive_field="import os\ndef receptive_field(layers):\n    os._exit(1)\n")
    hand_in.before("conv_output_size", f"total = {' + '.join('1' * 1000)}")
    hand_in.before("conv_output_size", f"mask = 0x{'f' * 6000}")


@case(deserves=EVERYTHING)
def interrupts_what_comes_next(hand_in: HandIn):
    """An honest function that, once called, leaves a thread that interrupts all others for ever."""
    hand_in.solved()
    cell = hand_in.cells["conv_output_size"]
    cell.source = (
        cell.source.replace("def conv_output_size", "def _size")
        + """
import _thread, threading, time
started = []
def _again():
    while True:
        time.sleep(0.05)
        _thread.interrupt_main()
def conv_output_size(*args):
    if not started:
        started.append(threading.Thread(target=_again, daemon=True))
        started[0].start()
    return _size(*args)
"""
    )


@case(deserves=but("receptive_field"))
def sends_a_million_frames(hand_in: HandIn):
    """A reply that is right in its first frame, and has a million empty ones behind it."""
    hand_in.solved(
        receptive_field="""
import json
kernel = get_ipython().kernel
def grader_request(socket, ident, parent):
    frames = [json.dumps({"t": "dict", "v": [["value", 3]]}).encode()] + [b""] * 1_000_000
    kernel.session.send(socket, "grader_reply", {}, parent, ident=ident, buffers=frames)
def receptive_field(layers):
    kernel.shell_handlers["grader_request"] = grader_request
    return 0
"""
    )


@case(deserves=EVERYTHING)
def holds_the_interpreter_for_a_while(hand_in: HandIn):
    """A thread of an earlier cell lets nothing run in the next question, for a bit too long."""
    hand_in.solved()
    hand_in.after(
        "conv_output_size-tests",
        """
import ctypes, threading, time
waiting = threading.Event()
def _hold():
    waiting.wait()
    time.sleep(0.05)
    ctypes.PyDLL(None).usleep(3_700_000)
threading.Thread(target=_hold, daemon=True).start()
""",
    )
    cell = hand_in.cells["conv_cost"]
    cell.source = (
        cell.source.replace("def conv_cost", "def _cost")
        + """
def conv_cost(*args):
    waiting.set()
    time.sleep(0.1)
    return _cost(*args)
"""
    )


@case(deserves=EVERYTHING)
def is_slow_to_bring_back(hand_in: HandIn):
    """A forward pass that ends the process in the tests of the backward pass only; the cells before
    them take long to run again, and the backward pass must not pay for that."""
    hand_in.solved()
    for _ in range(3):
        hand_in.before("conv_output_size", "import time\ntime.sleep(2.5)")
    cell = hand_in.cells["max_pool_forward_naive"]
    cell.source = (
        cell.source.replace("def max_pool_forward_naive", "def _max_pool")
        + """
import os
def max_pool_forward_naive(x, pool_param):
    if x.min() < 0 < x.max():
        os._exit(1)
    return _max_pool(x, pool_param)
"""
    )
