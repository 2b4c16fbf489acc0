"""Faults of the connection and its framing, written past the HTTP library, which would not send such answers."""

import asyncio
import socket
import struct
import zlib
from functools import lru_cache
from typing import Any

from aiohttp import web

from sandbox.exchange import Answer
from sandbox.responses import response_to

_DEFAULT_SIZE = 256 * 1024 * 1024
_CHUNK = b" " * (1024 * 1024)


async def act_out(kind: str, value: Any, answer: Answer, request: web.BaseRequest) -> web.StreamResponse:
    """Carries out a transport fault in place of sending `answer`."""
    if kind == "hang":
        await asyncio.sleep(float(30 if value is None else value))
        return response_to(answer)
    if kind == "oversized_body":
        return await _oversized(request, int(value or _DEFAULT_SIZE))
    if kind == "gzip_bomb":
        body = await asyncio.to_thread(_packed_blanks, int(value or _DEFAULT_SIZE))
        return web.Response(body=body, headers={"Content-Encoding": "gzip"}, content_type="application/json")
    _write_broken(kind, value, answer, request)
    # The connection is gone: the server drops this response.
    return web.Response(status=answer.status)


def _write_broken(kind: str, value: Any, answer: Answer, request: web.BaseRequest) -> None:
    transport = request.transport
    if transport is None:
        return
    body = answer.body or b'{"message":"sandbox"}'
    length, sent = len(body), body[: len(body) // 2]
    if kind == "wrong_length":
        length, sent = max(0, length - int(10 if value is None else value)), body
    if kind != "reset_before_body":
        head = f"HTTP/1.1 {answer.status} OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        transport.write(head.encode() + sent)
    if kind.startswith("reset"):
        # A linger time of 0 makes the close a reset (RST) instead of an orderly end (FIN).
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if kind == "reset_before_body":
            transport.abort()
            return
    transport.close()


async def _oversized(request: web.BaseRequest, size: int) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = size
    await response.prepare(request)
    for _ in range(size // len(_CHUNK)):
        await response.write(_CHUNK)
    await response.write(_CHUNK[: size % len(_CHUNK)])
    return response


@lru_cache(maxsize=2)
def _packed_blanks(size: int) -> bytes:
    packer = zlib.compressobj(level=1, wbits=31)
    parts = [packer.compress(_CHUNK) for _ in range(size // len(_CHUNK))]
    return b"".join([*parts, packer.flush()])
