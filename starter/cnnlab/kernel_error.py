"""What a kernel's mistakes are told as, on a device and in the simulator."""


class KernelError(RuntimeError):
    """A kernel went wrong while it ran. The message says in which thread, and why.

    Attributes:
        thread: (x, y, z) as cuda.grid(3) gives them, if the simulator knows which one failed
        array: what the kernel calls the array of which an index was wrong; else None
    """

    def __init__(
        self, told: str, thread: tuple[int, int, int] | None = None, array: str | None = None
    ) -> None:
        super().__init__(told)
        self.thread, self.array = thread, array
