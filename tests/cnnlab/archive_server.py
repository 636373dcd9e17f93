"""A web server on the loopback that serves one file, well or badly."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class ArchiveServer:
    """How it answers: ``moods`` in turn, one a request, the last one for all that follow.

    right; missing (404); failing (503); wrong (other bytes, as many); half (the connection ends
    half-way, the length was told); halfdumb (the same, the length was not told); slow (a pause
    half-way); gzipped (as a server that unpacks .gz under way, unless asked not to)
    """

    content: bytes
    moods: list[str] = field(default_factory=lambda: ["right"])
    requests: list[str] = field(default_factory=list)
    pause: float = 0.5
    address: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        mood = self.moods[min(len(self.requests), len(self.moods) - 1)]
        self.requests.append(request.path)
        if mood in ("missing", "failing"):
            return request.send_error({"missing": 404, "failing": 503}[mood])
        request.send_response(200)
        if mood != "halfdumb":
            request.send_header("Content-Length", str(len(self.content)))
        if mood == "gzipped" and "gzip" in request.headers.get("Accept-Encoding", ""):
            request.send_header("Content-Encoding", "gzip")
        request.end_headers()
        content = self.content if mood != "wrong" else bytes(len(self.content))
        middle = len(content) // 2
        request.wfile.write(content[:middle])
        request.wfile.flush()
        if mood == "slow":
            time.sleep(self.pause)
        if mood not in ("half", "halfdumb"):
            request.wfile.write(content[middle:])
        return None


@contextlib.contextmanager
def serve(content: bytes, *moods: str) -> Iterator[ArchiveServer]:
    server = ArchiveServer(content, list(moods) or ["right"])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                server.answer(self)

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    server.address = f"http://127.0.0.1:{http.server_port}"
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
