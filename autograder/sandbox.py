"""The locked-down kernel: jupyter_client starts it under bubblewrap.

A student's process sees: the Python interpreter and its packages, ``cnnlab`` and the system's
libraries, all read-only; a copy of the submission on a small disk in memory, read-write; the
sockets to the grader. It does not see: the network, other processes, the home folder,
``solutions/``, ``autograder/``, other submissions, the gradebook. ``seccomp`` takes system calls
away, ``watchdog`` holds all of its processes together to the limits.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import importlib.metadata
import importlib.util
import json
import os
import shutil
import signal
import site
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.provisioning import LocalProvisioner

from . import devices, seccomp
from .errors import NoSandbox
from .files import held_folder, left_over
from .limits import Limits
from .questions import PROJECT

SCRATCH = "cnnlab-scratch-"  # how the names of our temporary folders begin
BRIDGE_FILES = ("bridge.py", "supplied.py", "tensors.py", "wire.py")
SETTINGS = (  # in /proc
    *("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "driver", "dynamic_debug"),
    "pressure",
)
OPEN_FILES = 512  # of one process: what lies in pipes and sockets is memory too


@dataclass(frozen=True)
class Door:
    """Where a kernel finds the layers that the grader supplies: the socket, and their names."""

    socket: Path
    names: tuple[str, ...]


def for_kernel(limits: Limits, scratch: Scratch, sandboxed: bool, door: Door | None) -> str:
    """What the bridge has to know, as JSON."""
    work, home = scratch.inside(sandboxed)
    return json.dumps(
        {
            "seed": str(scratch.seed),
            "work": str(work),
            "home": str(home),
            "memory": limits.memory,
            # a driver reserves as many addresses as all devices have memory, and more
            "reserve": not limits.has_cuda,
            "file_size": limits.disk,
            "processes": 2 * limits.tasks,
            "open_files": OPEN_FILES,
            "message": limits.message,
            "cpu_seconds": int(limits.notebook_seconds),
            "without": limits.without,
            "uses": limits.uses,
            "layers": None
            if door is None
            else {"socket": str(door.socket), "names": door.names, "message": limits.message},
        }
    )


class Scratch:
    """The temporary folder of one kernel: the sockets, the bridge, and the seed: what the bridge
    copies into the working folder and the small home, which in the sandbox lie on its own disk.

    This process holds it as long as it lives: ``remove_leftovers`` knows by that whose owner died.
    """

    def __init__(self) -> None:
        self.root, self._held = held_folder(SCRATCH, temporary_folder())
        try:
            self._fill()
        except BaseException:  # Ctrl-C too
            self.remove()
            raise

    def _fill(self) -> None:
        self.sockets, self.bridge = self.root / "ipc", self.root / "bridge"
        self.seed = self.root / "seed"
        self.files = self.seed / "work"  # what was handed in beside the notebook
        for folder in (self.sockets, self.bridge, self.files, self.seed / "home"):
            folder.mkdir(parents=True)
        for name in BRIDGE_FILES:
            shutil.copy(Path(__file__).with_name(name), self.bridge)
        fonts = _matplotlib_cache()
        if fonts is not None:
            shutil.copytree(fonts, self.seed / "home" / "matplotlib")

    def shut_sockets(self) -> None:
        """Nothing can connect by the sockets' path any more; what is connected stays so."""
        self.sockets = self.sockets.rename(self.root / "connected")

    def inside(self, sandboxed: bool) -> tuple[Path, Path]:
        """The working folder and the home, as the student's code sees them."""
        root = Path("/tmp") if sandboxed else self.root
        return root / "work", root / "home"

    def remove(self) -> None:
        """Delete it all, and let go of it."""
        delete(self.root)
        if self._held is not None:
            os.close(self._held)
            self._held = None


def temporary_folder() -> Path:
    """Unix sockets have paths of at most 107 bytes, so this is /tmp, whatever TMPDIR says."""
    return Path("/tmp" if os.access("/tmp", os.W_OK) else tempfile.gettempdir())


def delete(folder: Path) -> None:
    """Delete it all, however deep, and though a dying process may still write to it."""
    for _ in range(50):
        # rm, because shutil.rmtree recurses, and a student can nest more folders than that
        subprocess.run(["chmod", "-R", "u+rwX", folder], capture_output=True, check=False)
        subprocess.run(["rm", "-rf", "--", folder], capture_output=True, check=False)
        if not folder.exists():
            return
        time.sleep(0.1)


def remove_leftovers() -> int:
    """Delete what graders that were killed have left: their folders. Returns how many there were.

    A folder that somebody holds belongs to a living grader, and stays.
    """
    removed = 0
    for folder in temporary_folder().glob(f"{SCRATCH}*"):
        with left_over(folder) as ours:
            if ours:
                _end_what_runs_in(folder)
                delete(folder)
                removed += 1
    return removed


def _end_what_runs_in(folder: Path) -> None:
    """End a sandbox that outlived its grader: one that was killed in the very moment of starting
    it, or a kernel in the open, which nothing ends."""
    start = os.fsencode(folder) + b"/"
    ours = {b"bwrap", os.fsencode(Path(sys.executable).name)}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended by now, or is somebody else's
            words = (process / "cmdline").read_bytes().split(b"\0")
            if os.path.basename(words[0]) in ours and any(w.startswith(start) for w in words):
                os.kill(int(process.name), signal.SIGKILL)


@functools.cache
def _matplotlib_cache() -> Path | None:
    """A folder with Matplotlib's font list: without one, every kernel looks for fonts for 2.6 s."""
    if importlib.util.find_spec("matplotlib") is None:
        return None
    version = importlib.metadata.version("matplotlib")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "cnnlab"
    folder = cache / f"matplotlib-{version}"
    if any(folder.glob("fontlist*.json")):
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # a read-only home: make one for this run
        folder, _ = held_folder(SCRATCH, temporary_folder())
    subprocess.run(
        [sys.executable, "-c", "import matplotlib.font_manager"],
        env={**os.environ, "MPLCONFIGDIR": str(folder)},
        capture_output=True,
        check=False,
    )
    return folder


SYSTEM = (
    # not /usr as a whole: /usr/src/app and the like are where containers keep a course
    *(f"/usr/{name}" for name in ("bin", "sbin", "lib", "lib32", "lib64", "libexec", "share")),
    *(f"/usr/local/{name}" for name in ("bin", "lib", "lib64", "share")),
    *("/bin", "/sbin", "/lib", "/lib32", "/lib64"),
    *("/etc/alternatives", "/etc/fonts", "/etc/ld.so.cache", "/etc/localtime"),
)


def _python_folders() -> list[Path]:
    """The interpreter, its standard library and its packages, as far as SYSTEM has them not."""
    prefixes = {
        sys.prefix,
        sys.base_prefix,
        sys.exec_prefix,
        sysconfig.get_path("stdlib"),
        *site.getsitepackages(),
        str(Path(sys.executable).resolve().parent.parent),
    }
    folders = {Path(p).resolve() for p in prefixes if os.path.isdir(p)} | {Path(sys.prefix)}
    return _without_nested(folders - {Path("/usr"), Path("/usr/local")})


def _without_nested(folders: set[Path]) -> list[Path]:
    """The folders that do not lie in another one of them."""
    return sorted(f for f in folders if not any(p in folders for p in f.parents))


def _cnnlab() -> Path:
    spec = importlib.util.find_spec("cnnlab")
    if spec is None or spec.origin is None:
        return PROJECT / "starter" / "cnnlab"
    return Path(spec.origin).parent


def _forbidden(without: tuple[str, ...], python: list[Path]) -> list[str]:
    """Where the packages that a question does without are installed, the system's own too."""
    roots = [*python, Path("/usr"), Path("/usr/local")]
    installed = {
        *map(Path, site.getsitepackages()),
        *(f for root in roots for f in root.glob("lib*/python3*/*-packages")),
    }
    return sorted(str(f / name) for f in installed for name in without if (f / name).is_dir())


def _bind(folder: Path | str) -> list[str]:
    return ["--ro-bind-try", str(folder), str(folder)]


@functools.cache
def _mounts(without: tuple[str, ...]) -> tuple[str, ...]:
    """bubblewrap's arguments that are the same for every kernel."""
    args: list[str] = []
    python, cnnlab = _python_folders(), _cnnlab()
    for path in SYSTEM:
        if os.path.islink(path):
            args += ["--symlink", os.readlink(path), path]
        else:
            args += _bind(path)
    for folder in python:
        args += _bind(folder)
    args += ["--ro-bind", os.devnull, "/etc/passwd"]
    # what hides something is empty, and stays so: an open one would be a disk without a limit
    hidden = _forbidden(without, python)
    if any(Path(p) in PROJECT.parents for p in (*SYSTEM, *python)):
        # the project, answers, history and all, lies inside of what was just mounted
        hidden.append(str(PROJECT))
    for path in hidden:
        args += ["--size", "65536", "--tmpfs", path]
    for folder in (*python, cnnlab):
        if str(PROJECT) in hidden and PROJECT in folder.parents:
            args += _bind(folder)
    if not any(folder in cnnlab.parents for folder in python):
        args += _bind(cnnlab)
    for path in hidden:
        args += ["--remount-ro", path]
    return tuple(args)


def bubblewrap_command(
    command: list[str],
    limits: Limits,
    environment: dict[str, str],
    *,
    readable: Iterable[Path] = (),
    writable: Iterable[Path] = (),
    own: Iterable[Path] = (),
) -> list[str]:
    """The command that runs ``command`` locked in.

    It sees the folders ``readable`` and ``writable`` of this machine's, besides Python's and the
    system's; ``own`` are made on its disk in memory.
    """
    args = [
        _bubblewrap(),
        "--unshare-all",
        "--die-with-parent",
        "--new-session",
        "--cap-drop",
        "ALL",
        "--hostname",
        "sandbox",
        *_disk("/tmp", limits),  # first: the project and this kernel's folder may lie below it
        *_mounts(limits.without),
        "--proc",
        "/proc",
        # who is root may write the machine's settings there, without any capability
        *(word for name in SETTINGS for word in _bind(f"/proc/{name}")),
        "--dev",
        "/dev",
        # a map of it is memory that no process has, as are the ones that seccomp forbids
        *("--ro-bind", os.devnull, "/dev/zero"),
        *_disk("/dev/shm", limits),
        *_device(limits),
        "--remount-ro",
        "/dev",
    ]
    for folder in own:
        args += ["--dir", str(folder)]
    for folder in writable:
        args += ["--bind", str(folder), str(folder)]
    for folder in readable:
        args += ["--ro-bind", str(folder), str(folder)]
    args += ["--remount-ro", "/", "--chdir", environment["HOME"], "--clearenv"]
    for name, value in environment.items():
        args += ["--setenv", name, value]
    return [*args, "--", *command]


def _disk(folder: str, limits: Limits) -> list[str]:
    return ["--size", str(limits.disk), "--tmpfs", folder]


def environment_of(home: Path, limits: Limits) -> dict[str, str]:
    """All that the environment in a sandbox holds: nothing of the grader's own gets in."""
    environment = {
        "PATH": f"{Path(sys.prefix, 'bin')}:/usr/bin:/bin",
        "HOME": str(home),
        "TMPDIR": "/tmp",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "IPYTHONDIR": str(home / "ipython"),
        "MPLCONFIGDIR": str(home / "matplotlib"),
        # one thread each: a class is graded in parallel, and the address space stays small
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    if limits.uses:
        # beside the packages, which are read-only here, it could not write
        environment["NUMBA_CACHE_DIR"] = str(home / "numba")
    if limits.uses and not limits.has_cuda:
        # kernels run in numba's simulator, and nothing looks for a device
        environment |= {"NUMBA_ENABLE_CUDASIM": "1", "CUDA_VISIBLE_DEVICES": ""}
    return environment


def _device(limits: Limits) -> list[str]:
    """The CUDA device with its driver, for an assignment that may use it."""
    if not limits.has_cuda:
        return []
    nodes = [word for node in devices.nodes() for word in ("--dev-bind-try", node, node)]
    return nodes + [word for folder in devices.folders() for word in _bind(folder)]


def _bubblewrap() -> str:
    found = shutil.which("bwrap")
    if found is None:
        raise NoSandbox("bubblewrap (bwrap) is not installed.", HOW_TO_INSTALL)
    return found


def _pipe() -> tuple[int, int]:
    """A pipe that can be handed on: not by the numbers of stdin, stdout and stderr, which are free
    where they were closed (``>&-``), and which a child process is given others for."""
    ends = []
    for end in os.pipe():
        ends.append(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 3))
        os.close(end)
    return ends[0], ends[1]


def seccomp_filter() -> int | None:
    """A handle to read the filter from, to be closed; None where there is none for this machine."""
    filter_ = seccomp.program()
    if filter_ is None:
        return None
    handle, fill = _pipe()  # which holds 64 KiB; the filter has one
    os.write(fill, filter_)
    os.close(fill)
    return handle


HOW_TO_INSTALL = (
    "Install it with your system's package manager:\n"
    "    Debian, Ubuntu:  sudo apt-get install bubblewrap\n"
    "    Fedora:          sudo dnf install bubblewrap\n"
    "    Arch:            sudo pacman -S bubblewrap\n"
    "It exists for Linux only: on macOS and Windows, grade in a Linux virtual machine or WSL 2."
)
APPARMOR = (
    "Ubuntu 24.04 and later forbid unprivileged user namespaces by AppArmor. Allow them for "
    "bubblewrap:\n"
    "    sudo apt-get install apparmor-profiles\n"
    "    sudo ln -s /usr/share/apparmor/extra-profiles/bwrap-userns-restrict /etc/apparmor.d/\n"
    "    sudo systemctl reload apparmor"
)
NAMESPACES = (
    "This system does not allow unprivileged user namespaces. Ask its administrator for\n"
    "    sysctl kernel.unprivileged_userns_clone=1  (or user.max_user_namespaces > 0),\n"
    "or, inside a container, for one that may create namespaces."
)


@functools.cache
def check_sandbox() -> str:
    """bubblewrap's version, after it has really locked a process in. Raises NoSandbox."""
    if sys.platform != "linux":
        raise NoSandbox(f"bubblewrap does not exist for {sys.platform}.", HOW_TO_INSTALL)
    bwrap = _bubblewrap()
    filter_ = seccomp_filter()
    filtered = [] if filter_ is None else ["--seccomp", str(filter_)]
    tried = subprocess.run(
        [
            bwrap,
            "--unshare-all",
            "--die-with-parent",
            "--cap-drop",
            "ALL",
            "--ro-bind",
            "/",
            "/",
            *_disk("/tmp", Limits()),
            *filtered,
            "--proc",
            "/proc",
            "--dev",
            "/dev",
            "--",
            "true",
        ],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        pass_fds=[] if filter_ is None else [filter_],
    )
    if filter_ is not None:
        os.close(filter_)
    if "--size" in tried.stderr:
        raise NoSandbox("this bubblewrap is older than 0.7.", HOW_TO_INSTALL)
    if tried.returncode != 0:
        restricted = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
        apparmor = restricted.exists() and restricted.read_text().strip() == "1"
        raise NoSandbox(
            f"bubblewrap says: {tried.stderr.strip()[-300:]}", APPARMOR if apparmor else NAMESPACES
        )
    version = subprocess.run([bwrap, "--version"], capture_output=True, text=True, check=False)
    return version.stdout.strip()


class SandboxProvisioner(LocalProvisioner):
    """Starts the kernel of ``kernel_spec`` under bubblewrap, or in the open where told so.

    ``inside`` is then the process that holds the sandbox, as this machine numbers it, or None.
    """

    inside: int | None = None

    async def pre_launch(self, **kwargs):
        manager, scratch = self.parent, self.parent.scratch
        kwargs = await super().pre_launch(**kwargs)
        work, home = scratch.inside(manager.sandboxed)
        environment = environment_of(home, manager.limits)
        if manager.sandboxed:
            readable = [scratch.bridge, scratch.seed]
            readable += [] if manager.door is None else [manager.door.socket.parent]
            kwargs["cmd"] = bubblewrap_command(
                kwargs["cmd"],
                manager.limits,
                environment,
                readable=readable,
                writable=[scratch.sockets],
                own=[work, home],
            )
        kwargs["env"] = environment
        # nothing of the grader's own: through an inherited terminal or log a kernel could write
        kwargs["stdin"] = kwargs["stdout"] = kwargs["stderr"] = subprocess.DEVNULL
        kwargs["cwd"] = str(scratch.root)
        return kwargs

    async def launch_kernel(self, cmd, **kwargs):
        if not self.parent.sandboxed:
            return await super().launch_kernel(cmd, **kwargs)
        with Reins() as reins:
            command = [cmd[0], *reins.options, *cmd[1:]]
            launched = await super().launch_kernel(command, **kwargs, pass_fds=reins.handles)
            self.inside = reins.inside()
        return launched


class Reins:
    """What bubblewrap is given beside its command: the filter, and where to tell of its child.

    ``options`` come first among its arguments, ``handles`` are passed on to it. After it has been
    started, ``inside()`` is the process that holds the sandbox, as this machine numbers it; None if
    it did not start.
    """

    def __enter__(self) -> Reins:
        self._given = contextlib.ExitStack()
        about, tell = _pipe()
        self._about = open(about, "rb")
        self._given.callback(os.close, tell)
        self.options, self.handles = ["--info-fd", str(tell)], [tell]
        filter_ = seccomp_filter()
        if filter_ is not None:
            self._given.callback(os.close, filter_)
            self.options += ["--seccomp", str(filter_)]
            self.handles.append(filter_)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._given.close()
        self._about.close()

    def inside(self) -> int | None:
        self._given.close()  # else the next line would wait for ourselves
        try:
            return int(json.loads(self._about.read())["child-pid"])
        except (ValueError, KeyError):
            return None


def kernel_spec(
    scratch: Scratch, limits: Limits, sandboxed: bool, door: Door | None = None
) -> KernelSpec:
    """How to start the kernel: this Python, the bridge, no history file."""
    return KernelSpec(
        argv=[
            sys.executable,
            "-s",
            str(scratch.bridge / "bridge.py"),
            for_kernel(limits, scratch, sandboxed, door),
            "-f",
            "{connection_file}",
            "--HistoryManager.enabled=False",
            "--quiet",
            "--log-level=ERROR",
        ],
        display_name="CNN Lab's sandbox",
        language="python",
        interrupt_mode="message",
        metadata={"kernel_provisioner": {"provisioner_name": "cnnlab-sandbox"}},
    )
