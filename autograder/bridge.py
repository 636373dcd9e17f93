"""Runs inside the kernel, beside the student's code: answers the grader's requests.

Nothing here is secret, and nothing here is trusted: a student may read or break it, and wins only
wrong answers. It adds one message type to ipykernel, ``grader_request``, so a call needs no name
in the student's namespace and goes through none of IPython's cell machinery: what students shadow
(``list = [1, 2]``) or print does not matter.

Started as a script with the limits as JSON in its first argument.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import linecache
import os
import resource
import shutil
import sys
import threading
import traceback

import numpy  # noqa: F401 (now, so that no cell pays for it)
import tensors  # beside this file
import wire  # this too
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from ipykernel.zmqshell import ZMQInteractiveShell

NICE = 10  # after the grader, which watches
RESERVED = 4 << 30  # bytes of address space beyond what may be used
THREAD_STACK = 1 << 20  # bytes
MAX_MESSAGE = 2000  # characters of an exception's text


class StayingShell(ZMQInteractiveShell):
    """IPython, but ``exit()`` in a cell does not end the kernel: the questions after it count."""

    def ask_exit(self) -> None:
        pass


class GraderKernel(IPythonKernel):
    """ipykernel, with one more request: run this function on these arrays."""

    largest_message = 0
    shell_class = StayingShell
    msg_types = [*IPythonKernel.msg_types, "grader_request"]  # noqa: RUF012 (ipykernel's way)

    def grader_request(self, socket, ident, parent) -> None:
        try:
            frames = self._answer([bytes(buffer) for buffer in parent["buffers"]])
            size = sum(map(len, frames))
            if size > self.largest_message:  # ØMQ would drop it in silence
                raise MemoryError(
                    f"the result has {size / 1e6:.0f} MB; the grader takes "
                    f"{self.largest_message / 1e6:.0f} MB, more than any right answer"
                )
        except BaseException as error:  # KeyboardInterrupt is how the grader ends a long call
            frames = wire.dumps(_describe(error))
        self.session.send(socket, "grader_reply", {}, parent, ident=ident, buffers=frames)

    def _answer(self, frames: list[bytes]) -> list[bytes]:
        kept = self.__dict__.setdefault("_kept", {})
        results = self.__dict__.setdefault("_results", {})

        def keep(obj: object) -> dict:
            handle_id = len(kept) + 1
            kept[handle_id] = obj
            return {"t": "handle", "id": handle_id, "type": type(obj).__name__[:100]}

        def resolve(reference: dict) -> object:
            if reference["t"] == "handle":
                return kept[reference["id"]]
            value = results[reference["call"]]
            for step, key in reference["path"]:
                value = getattr(value, key) if step == "attr" else value[key]
            return value

        def tensor(value: object) -> wire.Tensor | None:
            if not tensors.is_tensor(value):
                return None
            return wire.Tensor(*tensors.to_array(value, self.largest_message))

        request = wire.loads(frames, resolve, tensor=_to_torch)
        depth = wire.SHALLOW
        match request["op"]:
            case "call":
                target = request["target"]
                if isinstance(target, str):
                    if target not in self.shell.user_ns:
                        return wire.dumps({"missing": target})
                    target = self.shell.user_ns[target]
                value = results[request["number"]] = target(*request["args"], **request["kwargs"])
            case "put":
                value = Boxed(request["value"])  # a plain array too is to stay here
            case "get":
                value, depth = request["of"], wire.MAX_DEPTH
            case "item":
                value = request["of"][request["key"]]
            case "attr":
                value = getattr(request["of"], request["key"])
            case "assign":
                value = setattr(request["of"], request["key"], request["value"])
            case "library":
                value = Boxed(importlib.import_module(request["name"]))
            case "find":
                if request["name"] not in self.shell.user_ns:
                    return wire.dumps({"missing": request["name"]})
                value = Boxed(self.shell.user_ns[request["name"]])
            case "state":
                value = tensors.state(request["of"])
            case "set_state":
                value = tensors.set_state(request["of"], request["value"])
            case "load_weights":
                value = _load_weights(request["key"], request["of"])
            case "len":
                value = len(request["of"])
            case "forget":
                kept.clear()
                results.clear()
                value = None
        if type(value) is Boxed:
            return wire.dumps({"value": value}, lambda box: keep(box.value))
        return wire.dumps({"value": value}, keep, depth + 1, tensor)


def _to_torch(came: wire.Tensor) -> object:
    return tensors.from_array(came.array, came.grad)


def _load_weights(file: str, net: object) -> None:
    if tensors.is_module(net):
        from cnnlab.torch_weights import load_weights
    else:
        from cnnlab.weights import load_weights
    load_weights(file, net)


def _describe(error: BaseException) -> dict:
    """An exception as plain text: its name, its words, and the student's line that raised it."""
    where = ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if "ipykernel_" in frame.filename or "ipython-input" in frame.filename:
            where = (frame.line or linecache.getline(frame.filename, frame.lineno or 0)).strip()
            break
    try:
        words = str(error)
    except BaseException:  # its own __str__ raises one more, of any kind
        words = "(its text cannot be read)"
    return {
        "ename": type(error).__name__[:200],
        "evalue": words[:MAX_MESSAGE],
        "where": where[:200],
    }


class Boxed:
    """Holds a value that must not go out as a value."""

    def __init__(self, value: object):
        self.value = value


class NotHere:
    """Says, for a package that this assignment does without, that it is not there.

    Who imports it gets an exception with the reason. Who only asks whether it is there, by
    ``importlib.util.find_spec``, gets the answer of the others, who do not find it in the sandbox:
    torch.optim asks for sklearn, and is not prepared for an exception.

    ``uses``: the packages that it is about, besides NumPy.
    """

    def __init__(self, names: list[str], uses: list[str] = ()):
        self.names = set(names)
        *most, last = ["NumPy", *uses]
        self.allowed = f"{', '.join(most)} and {last}" if most else last

    def find_spec(self, name: str, path=None, target=None):
        asked_by = sys._getframe(2).f_globals.get("__name__")  # beyond importlib's _find_spec
        if name.partition(".")[0] in self.names and asked_by != "importlib.util":
            raise ModuleNotFoundError(
                f"No module named {name!r} while grading: this assignment is about doing it "
                f"with {self.allowed} alone.",
                name=name,
            )
        return None


def _set_limits(limits: dict) -> None:
    def cap(which: int, value: int) -> None:
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))

    os.nice(NICE)
    cap(resource.RLIMIT_CORE, 0)
    # what is written to, not the address space: of that, threads reserve much and use little
    cap(resource.RLIMIT_DATA, limits["memory"])
    if limits["reserve"]:
        cap(resource.RLIMIT_AS, limits["memory"] + RESERVED)
    cap(resource.RLIMIT_FSIZE, limits["file_size"])
    cap(resource.RLIMIT_NPROC, limits["processes"])
    cap(resource.RLIMIT_NOFILE, limits["open_files"])
    cap(resource.RLIMIT_CPU, limits["cpu_seconds"])


def _prepare(packages: list[str]) -> None:
    """Import what the assignment is about now, so that no cell and no call pays for it."""
    for name in packages:
        with contextlib.suppress(ImportError):  # which the student's own import then tells
            importlib.import_module(name)
    if "numba" in packages:
        # its simulator starts one for each thread of a block, and each stack counts as memory
        threading.stack_size(THREAD_STACK)


def main() -> None:
    limits = json.loads(sys.argv.pop(1))
    if limits["layers"]:
        import supplied  # beside this file too
    for name in ("work", "home"):
        shutil.copytree(os.path.join(limits["seed"], name), limits[name], dirs_exist_ok=True)
    sys.path.pop(0)  # this script's folder; IPython puts "" there, the current one
    _set_limits(limits)
    GraderKernel.largest_message = limits["message"]
    sys.meta_path.insert(0, NotHere(limits["without"], limits["uses"]))
    if limits["layers"]:
        supplied.install(limits["layers"])
    _prepare(limits["uses"])
    # Only now into the student's folder: a file there that is called json.py may trouble the
    # student's own imports, as it does in Jupyter, but not the start of the kernel.
    app = IPKernelApp.instance(kernel_class=GraderKernel)
    app.initialize()
    os.chdir(limits["work"])
    app.start()


if __name__ == "__main__":
    main()
