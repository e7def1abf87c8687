"""Google's front end as far as sizes go: over HTTP/1 nothing above 32 MiB passes in one piece."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MOST = 32 * 1024 * 1024
PIECE = 1024 * 1024
OF_THE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "date", "server"}


@dataclass
class Wall:
    """What passes, and what was turned away."""

    behind: int
    port: int = 0
    refused: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    largest: int = 0


@contextmanager
def wall(behind: int) -> Iterator[Wall]:
    """Stand in front of the server at the port *behind*."""
    seen = Wall(behind)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Door", (_Door,), {"seen": seen}))
    server.daemon_threads = True
    seen.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()


class _Door(BaseHTTPRequestHandler):
    seen: Wall
    protocol_version = "HTTP/1.1"

    def _pass(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        asked = f"{self.command} {self.path.partition('?')[0]}"
        if size > MOST:
            self.seen.refused.append(asked)
            self.close_connection = True
            self._refuse(413, b"Request Entity Too Large")
            return
        self.seen.largest = max(self.seen.largest, size)
        inner = http.client.HTTPConnection("127.0.0.1", self.seen.behind, timeout=120)
        inner.request(self.command, self.path, self.rfile.read(size), dict(self.headers))
        answer = inner.getresponse()
        if int(answer.headers.get("content-length") or 0) > MOST:
            self.seen.refused.append(f"the answer to {asked}")
            self._refuse(500, b"Response size was too large")
        else:
            self.seen.passed.append(asked)
            self._hand_on(answer)
        inner.close()

    def _hand_on(self, answer: http.client.HTTPResponse) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in OF_THE_CONNECTION:
                self.send_header(name, value)
        chunked = "content-length" not in answer.headers
        if chunked:
            self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        while piece := answer.read(PIECE):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _refuse(self, status: int, words: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(words)))
        self.end_headers()
        self.wfile.write(words)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's
        """Say nothing."""
