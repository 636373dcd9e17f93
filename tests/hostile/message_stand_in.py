"""A process that speaks Jupyter's messages on a kernel's real sockets, and speaks them badly.

Started with a connection file in the place of the kernel. Each cell's code, and each request to
the bridge, is JSON: {"seed": …, "number": …} draws what to do wrong, {"say": "x"} asks for an
honest answer. It holds the right key, as a student's code in a real kernel can.
"""

from __future__ import annotations

import json
import os
import sys
import time

import numpy as np
import zmq
from jupyter_client.session import Session

LONG_TIME = 3.0  # seconds that a flood lasts, if nobody ends it
DATE = "2026-01-02T03:04:05.678901Z"


class Kernel:
    def __init__(self, connection_file: str):
        with open(connection_file) as file:
            info = json.load(file)
        self.session = Session(
            key=info["key"].encode(), signature_scheme=info["signature_scheme"], username="k"
        )
        context = zmq.Context()
        context.setsockopt(zmq.LINGER, 0)
        context.setsockopt(zmq.SNDHWM, 1000)
        kinds = {"shell": zmq.ROUTER, "control": zmq.ROUTER, "iopub": zmq.XPUB}
        for name, kind in kinds.items():
            socket = context.socket(kind)
            socket.bind(f"ipc://{info['ip']}-{info[name + '_port']}")
            setattr(self, name, socket)
        self.last: list[bytes] = []  # the frames of the message sent last

    def serve(self) -> None:
        poller = zmq.Poller()
        for socket in (self.shell, self.control, self.iopub):
            poller.register(socket, zmq.POLLIN)
        while True:
            for socket, _ in poller.poll():
                if socket is self.iopub:
                    if socket.recv()[:1] == b"\x01":
                        self.publish("iopub_welcome", {"subscription": ""}, None)
                    continue
                ident, message = self.session.recv(socket, zmq.NOBLOCK)
                if message is not None:
                    self.answer(socket, ident, message)

    def answer(self, socket: zmq.Socket, ident: list[bytes], message: dict) -> None:
        kind = message["header"]["msg_type"]
        if kind == "kernel_info_request":
            self.session.send(socket, "kernel_info_reply", {"status": "ok"}, message, ident=ident)
            self.publish("status", {"execution_state": "idle"}, message)
        if kind not in ("execute_request", "grader_request"):
            return
        is_cell = kind == "execute_request"
        text = message["content"]["code"] if is_cell else bytes(message["buffers"][0])
        asked = json.loads(text)
        conversation = Conversation(self, ident, message, is_cell)
        if "say" in asked:
            conversation.answer_well(asked["say"])
        else:
            conversation.misbehave(np.random.default_rng([asked["seed"], asked["number"]]))

    def publish(self, kind: str, content: object, parent: dict | None) -> None:
        self.session.send(self.iopub, kind, content, parent, ident=kind.encode())


class Conversation:
    """All that is said about one request."""

    def __init__(self, kernel: Kernel, ident: list[bytes], request: dict, is_cell: bool):
        self.kernel, self.ident, self.request = kernel, ident, request
        self.reply_type = "execute_reply" if is_cell else "grader_reply"
        self.is_cell = is_cell

    # -- the ways of sending -------------------------------------------------------------------

    def answer_well(self, text: str) -> None:
        if self.is_cell:
            self.publish("stream", {"name": "stdout", "text": text})
        self.reply([json.dumps({"t": "dict", "v": [["value", text]]}).encode()])
        self.publish("status", {"execution_state": "idle"})

    def reply(self, buffers: list[bytes] = (), content: object = None, kind: str = "") -> None:
        content = {"status": "ok"} if content is None else content
        self.kernel.session.send(
            self.kernel.shell,
            kind or self.reply_type,
            content,
            self.request,
            ident=self.ident,
            buffers=[] if self.is_cell else list(buffers),
        )

    def publish(self, kind: str, content: object) -> None:
        self.kernel.publish(kind, content, self.request)

    def frames(self, kind: str, **parts: object) -> list[bytes]:
        """A signed message as frames; parts: header, parent, metadata, content, as anything."""
        session = self.kernel.session
        header = {**session.msg_header(kind), "date": DATE}
        default = {
            "header": header,
            "parent": {"msg_id": self.request["header"]["msg_id"]},
            "metadata": {},
            "content": {"status": "ok", "name": "stdout", "text": "x", "execution_state": "busy"},
        }
        texts = [
            part if isinstance(part, bytes) else json.dumps(part).encode()
            for part in {**default, **parts}.values()
        ]
        return [session.sign(texts), *texts]

    def send(self, frames: list[bytes], on_shell: bool) -> None:
        if on_shell:
            self.kernel.shell.send_multipart([*self.ident, b"<IDS|MSG>", *frames])
        else:
            self.kernel.iopub.send_multipart([b"x", b"<IDS|MSG>", *frames])

    # -- what goes wrong ------------------------------------------------------------------------

    def misbehave(self, rng: np.random.Generator) -> None:
        self.rng, self.until = rng, time.monotonic() + LONG_TIME
        for _ in range(int(rng.integers(1, 4))):
            self.pick(ACTIONS)(self)
        how = rng.random()
        if how < 0.5:
            self.answer_well("done")
        elif how < 0.6:
            self.reply([b'{"t":"dict","v":[["value",1]]}'])  # and is never idle
        elif how < 0.7:
            self.publish("status", {"execution_state": "idle"})  # and never replies

    def pick(self, options: list) -> object:
        return options[int(self.rng.integers(len(options)))]

    def shell_or_iopub(self) -> bool:
        return bool(self.rng.random() < 0.5)

    def kind(self) -> str:
        return self.pick([self.reply_type, "stream", "status", "error", "display_data"])

    def bad_signature(self) -> None:
        frames = self.frames(self.kind())
        frames[0] = self.pick([b"", b"0" * 64, frames[0][:-1], b"\xff" * 64, bytes(3 << 20)])
        for n in range(self.pick([1, 40])):
            if len(frames[0]) > 100:
                frames[0] = str(n).encode() + frames[0]
            self.send(frames, self.shell_or_iopub())

    def replayed(self) -> None:
        frames = self.frames(self.kind())
        for _ in range(self.pick([2, 300])):
            self.send(frames, self.shell_or_iopub())

    def wrong_parent(self) -> None:
        parent = self.pick([{}, [], None, "x", 1, {"msg_id": None}, {"msg_id": ["x"]}, {"x": 1}])
        self.send(self.frames(self.kind(), parent=parent), self.shell_or_iopub())

    def missing_frames(self) -> None:
        frames = self.frames(self.kind())
        self.send(frames[: int(self.rng.integers(0, 5))], self.shell_or_iopub())
        raw = self.pick([[b""], [b"<IDS|MSG>"], [b"x"] * 3, [b""] * 50])
        self.kernel.iopub.send_multipart([b"x", *raw])

    def odd_parts(self) -> None:
        """Each part of a message as something else, rightly signed."""
        part = self.pick(["header", "parent", "metadata", "content"])
        deep = b"[" * 900 + b"]" * 900
        value = self.pick(
            [
                *(b"", b"{", b"\xff\xfe\x00", b"null", b"[]", b'"x"', b"1e999", b"9" * 5000),
                *(
                    deep,
                    b"[" * 100_000,
                    b'{"msg_type": "stream"}',
                    b'{"a": NaN}',
                    b"\xef\xbb\xbf{}",
                ),
                {
                    "msg_id": 1,
                    "msg_type": "stream",
                    "version": self.pick(["4.1", "x", 5, None, "9"]),
                },
                {"msg_id": "x", "msg_type": self.pick([None, 1, ["stream"], "x" * 10**6])},
                {"msg_id": "x", "msg_type": "pyout", "version": "4.0", "date": "x"},
                {"text": "\ud800", "name": "\ud800", "data": {"text/plain": "\ud800"}},
            ]
        )
        self.send(self.frames(self.kind(), **{part: value}), self.shell_or_iopub())

    def many_dates(self) -> None:
        """A header, or a parent, full of dates: jupyter_client parses each of them."""
        dates = {str(n): DATE for n in range(100_000)}
        parent = {"msg_id": self.request["header"]["msg_id"], **dates}
        if self.shell_or_iopub():
            self.send(self.frames("stream", parent=parent), self.shell_or_iopub())
        else:
            header = {**self.kernel.session.msg_header("stream"), **dates}
            self.send(self.frames("stream", header=header), self.shell_or_iopub())

    def many_frames(self) -> None:
        frames = self.frames(self.reply_type)
        size, count = self.pick([(0, 20_000), (1 << 20, 30), (4 << 20, 12)])
        self.send([*frames, *[bytes(size)] * count], self.shell_or_iopub())

    def heavy_json(self) -> None:
        """Texts that take many times their size, or much time, once they are parsed."""
        items = self.pick([b"[],", b"{},", b'{"":0},', b"0,", b'"a",', b"1.5,"])
        size = self.pick([100_000, 1_000_000, 5_500_000, 9_000_000])
        content = b'{"data": [' + items * (size // len(items)) + b"0]}"
        for _ in range(self.pick([1, 3, 12])):
            self.send(self.frames(self.kind(), content=content), self.shell_or_iopub())

    def streams(self) -> None:
        name = [*("stdout", "stderr", None, 1, "x" * 1000, ["stdout"], "\ud800")]
        text = [
            "x",
            "",
            None,
            1,
            ["x"],
            {"a": 1},
            "\ud800\x00\x1b[2J",
            "x" * 3_000_000,
            "\r\n" * 99,
        ]
        for _ in range(self.pick([1, 5, 400])):
            content = {"name": self.pick(name), "text": self.pick(text)}
            if len(str(content["text"])) > 10_000 and self.rng.random() < 0.9:
                continue
            self.publish("stream", self.pick([content, {}, {"name": "stdout"}]))

    def displays(self) -> None:
        html = [
            "<b>" * 20_000,
            "<script>x</script>",
            "<a href='javascript:1'>",
            "<" * 60_000,
            "<svg><style>" * 3000,
            "&" * 60_000,
            "<table>" * 8000,
            "<!--" * 9000,
            "<p title='\x00\ud800'>",
            "<math><mi>" * 5000,
            "x" * 10**6,
            "<select><b>" * 4000,
        ]
        png = ["AAAA", "AAAA\n" * 10, "é", "A", "", "AAAA" * 900_000, ["AAAA"], 1, None]
        for _ in range(self.pick([1, 3, 150])):
            if len(html) > 9 and self.rng.random() < 0.5:
                html = html[1:]
            data = {
                "text/plain": self.pick(["x", None, 1, ["x"], "\ud800", "x" * 100_000]),
                "text/html": self.pick(html),
                "image/png": self.pick(png),
                "image/svg+xml": "<svg onload='x'/>",
                "application/json": {"a": [1] * 100},
                "text/latex": "x",
                "": "x",
            }
            content = self.pick(
                [{"data": data, "metadata": {}}, {"data": list(data)}, {}, {"data": None}]
            )
            content = {**content, "metadata": self.pick([{}, None, [1], {"image/png": "x"}])}
            self.publish(
                self.pick(["display_data", "execute_result", "update_display_data"]), content
            )

    def errors(self) -> None:
        odd = [None, 1, "x", [], ["x"], [1, None], {"a": 1}, [["x"] * 9] * 9, ["x"] * 200_000]
        odd += ["\ud800", "x" * 2_000_000, "\x1b]8;;http://x\x07"]
        for _ in range(self.pick([1, 4, 120])):
            few = odd if self.rng.random() < 0.05 else odd[:8]
            content = {k: self.pick(few) for k in ("ename", "evalue", "traceback")}
            self.publish("error", self.pick([content, {}]))

    def statuses(self) -> None:
        state = ["busy", "starting", None, 1, ["idle"], "idle"]
        for _ in range(self.pick([1, 1000])):
            self.publish("status", {"execution_state": self.pick(state)})

    def others(self) -> None:
        kinds = ["comm_open", "comm_msg", "comm_close", "clear_output", "execute_input", "x"]
        kinds += ["input_request", "iopub_welcome", "shutdown_reply", "debug_event"]
        for _ in range(self.pick([1, 50, 2000])):
            self.publish(self.pick(kinds), self.pick([{}, {"wait": True}, {"comm_id": "x"}]))
        self.kernel.session.send(
            self.kernel.shell, "input_request", {}, self.request, ident=self.ident
        )

    def replies(self) -> None:
        odd = [None, 1, "error", ["ok"], {}, "x" * 3_000_000, [["x"] * 50] * 50, "\ud800"]
        content = {k: self.pick(odd) for k in ("status", "ename", "evalue", "traceback")}
        for _ in range(self.pick([1, 2, 30])):
            kind = self.pick([self.reply_type, "execute_reply", "grader_reply", "x"])
            buffers = self.pick([[], [b"{"], [b"x"] * 3000, [bytes(1 << 20)] * 3])
            self.reply(buffers, self.pick([content, {}, None]), kind)

    def reply_to_what_was_not_asked(self) -> None:
        """Message numbers can be guessed: answer the next request before it is made."""
        head, _, number = self.request["header"]["msg_id"].rpartition("_")
        for ahead in range(1, 4):
            parent = {"msg_id": f"{head}_{int(number) + ahead}"}
            forged = b'{"t":"dict","v":[["value",666]]}'
            frames = self.frames(self.pick(["grader_reply", "execute_reply"]), parent=parent)
            self.send([*frames, forged], True)
            self.send(
                self.frames("status", parent=parent, content={"execution_state": "idle"}), False
            )

    def floods(self) -> None:
        size = self.pick([10, 10_000, 1 << 20, 5 << 20])
        frames = self.frames("stream", content={"name": "stdout", "text": "x" * size})
        frames = self.pick([frames, [b"x" * size], self.frames("status", parent={})])
        on_shell = self.shell_or_iopub()
        while time.monotonic() < self.until:
            self.send(frames, on_shell)

    def drips(self) -> None:
        """A reply, and then a little output now and then, but never idle."""
        self.reply([b"{}"])
        while time.monotonic() < self.until:
            self.publish("stream", {"name": "stdout", "text": "."})
            time.sleep(0.03)

    def says_nothing(self) -> None:
        time.sleep(LONG_TIME)

    def dies(self) -> None:
        os._exit(int(self.rng.integers(0, 200)))

    def closes(self) -> None:
        self.kernel.iopub.close()
        self.kernel.shell.close()
        time.sleep(LONG_TIME)
        os._exit(0)


ACTIONS = [
    Conversation.bad_signature,
    Conversation.replayed,
    Conversation.wrong_parent,
    Conversation.missing_frames,
    Conversation.odd_parts,
    Conversation.odd_parts,
    Conversation.many_dates,
    Conversation.many_frames,
    Conversation.heavy_json,
    Conversation.streams,
    Conversation.displays,
    Conversation.errors,
    Conversation.statuses,
    Conversation.others,
    Conversation.replies,
    Conversation.reply_to_what_was_not_asked,
    Conversation.floods,
    Conversation.drips,
    Conversation.says_nothing,
    Conversation.dies,
    Conversation.closes,
]
RARE = {"floods", "drips", "says_nothing", "dies", "closes"}  # they take time, or a new process
ACTIONS += [action for action in ACTIONS if action.__name__ not in RARE] * 3


if __name__ == "__main__":
    Kernel(sys.argv[1]).serve()
