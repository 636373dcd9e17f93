"""What a kernel's mistakes are told as, on a device and in the simulator."""


class KernelError(RuntimeError):
    """A kernel went wrong while it ran. The message says in which thread, and why."""
