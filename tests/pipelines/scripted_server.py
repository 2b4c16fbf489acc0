"""A server that answers each connection with the next scripted bytes: what no well-behaved HTTP library would send."""

import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Scripted:
    """One answer: pieces of bytes with a pause before each; then an orderly end, or a reset."""

    pieces: Sequence[bytes]
    pause_seconds: float = 0.0
    is_reset: bool = False


@dataclass
class ScriptedServer:
    """The answers still to come; the last one is repeated forever. `requests` holds every request, whole."""

    answers: list[Scripted]
    port: int = 0
    requests: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, connection: socket.socket) -> None:
        with connection:
            received = _received(connection)
            if not received:
                return
            self.requests.append(received.decode("latin-1"))
            scripted = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            try:
                for piece in scripted.pieces:
                    time.sleep(scripted.pause_seconds)
                    connection.sendall(piece)
            except OSError:
                return  # The client gave up, which may be what the test is about.
            if scripted.is_reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextmanager
def serving(*answers: Scripted) -> Iterator[ScriptedServer]:
    """A server on loopback for as long as the context lasts."""
    server = ScriptedServer(list(answers))
    listener = socket.create_server(("127.0.0.1", 0))
    server.port = listener.getsockname()[1]

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=server.answer, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server
    finally:
        # Closing alone would leave the accepting thread blocked.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def response(body: bytes | str, status: int = 200, **headers: str) -> Scripted:
    """A whole answer with its length; underscores in header names stand for hyphens."""
    content = body.encode() if isinstance(body, str) else body
    fields = {"Content-Length": str(len(content)), "Connection": "close", **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return Scripted([f"HTTP/1.1 {status} Scripted\r\n{lines}\r\n".encode() + content])


def _received(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        received += piece
        # The first byte of a TLS handshake: it is answered in plain text.
        if not piece or received[0] == 0x16:
            return received
    head, _, body = received.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body
