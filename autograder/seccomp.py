"""The system calls that a submission does without, as a filter that the kernel of Linux enforces.

Three reasons for an entry: it would hide memory from the watchdog (memfd, System V shared memory,
anonymous maps that are shared, io_uring), it reaches past the network namespace (vsock and other
exotic socket families), or it is a part of Linux that no exercise needs and that break-outs begin
with (new namespaces, mounts, bpf, keyrings, ptrace). NumPy, Matplotlib, multiprocessing and threads
work as ever.

Written out as classic BPF, since the libraries for it on the package index are not maintained; see
seccomp(2) and linux/filter.h.
"""

from __future__ import annotations

import errno
import platform
import struct

# name: (number on x86_64, on aarch64)
FORBIDDEN = {
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "semget": (64, 190),
    "msgget": (68, 186),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "userfaultfd": (323, 282),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "fanotify_init": (300, 262),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "io_setup": (206, 0),  # the machine has few of these for all programs together
    "process_madvise": (440, 440),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "syslog": (103, 116),
    "swapon": (167, 224),
    "reboot": (169, 142),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "acct": (163, 89),
    "sched_setaffinity": (203, 122),  # a submission stays on the core that it was given
}
SOCKET, SOCKETPAIR = (41, 198), (53, 199)
CLONE, CLONE3, MMAP = (56, 220), (435, 435), (9, 222)
SHARED, ANONYMOUS = 0x01, 0x20  # MAP_…: pages of such a map outlive its being mapped
FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK (asked for addresses)
NEW_NAMESPACE = 0x7E020000  # CLONE_NEWNS, …CGROUP, …UTS, …IPC, …USER, …PID, …NET
ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL, ERROR = 0x7FFF0000, 0x80000000, 0x00050000
NUMBER, ARCHITECTURE, FIRST_ARGUMENT, FOURTH_ARGUMENT = 0, 4, 16, 40  # in struct seccomp_data


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


def _answer(error: int) -> bytes:
    return _step(RETURN, ERROR | error)


def program(machine: str | None = None) -> bytes | None:
    """The filter for this kind of machine, as bubblewrap's --seccomp reads it; None if unknown."""
    if (machine or platform.machine()) not in ARCHITECTURES:
        return None
    audit, column = ARCHITECTURES[machine or platform.machine()]
    steps = [
        # a 32-bit program has other numbers: none of the filter would hold
        _step(LOAD, ARCHITECTURE),
        _step(EQUAL, audit, if_true=1),
        _step(RETURN, KILL),
        _step(LOAD, NUMBER),
    ]
    if column == 0:  # and so has x32
        steps += [_step(AT_LEAST, 0x40000000, if_false=1), _answer(errno.ENOSYS)]
    for numbers in FORBIDDEN.values():
        steps += [_step(EQUAL, numbers[column], if_false=1), _answer(errno.EPERM)]
    # its flags lie in memory, where a filter cannot look; libc falls back to clone
    steps += [_step(EQUAL, CLONE3[column], if_false=1), _answer(errno.ENOSYS)]
    steps += [
        _step(EQUAL, CLONE[column], if_false=4),
        _step(LOAD, FIRST_ARGUMENT),
        _step(ANY_BIT, NEW_NAMESPACE, if_false=1),
        _answer(errno.EPERM),
        _step(RETURN, ALLOW),
    ]
    steps += [
        _step(EQUAL, MMAP[column], if_false=5),
        _step(LOAD, FOURTH_ARGUMENT),
        _step(ANY_BIT, ANONYMOUS, if_false=2),
        _step(ANY_BIT, SHARED, if_false=1),
        _answer(errno.EPERM),
        _step(RETURN, ALLOW),
    ]
    steps += [
        _step(EQUAL, SOCKETPAIR[column], if_true=1),
        _step(EQUAL, SOCKET[column], if_false=len(FAMILIES) + 2),
        _step(LOAD, FIRST_ARGUMENT),
        *(
            _step(EQUAL, family, if_true=len(FAMILIES) - place)
            for place, family in enumerate(FAMILIES)
        ),
        _answer(errno.EAFNOSUPPORT),
    ]
    return b"".join([*steps, _step(RETURN, ALLOW)])
