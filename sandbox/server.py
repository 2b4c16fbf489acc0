"""The four vendor APIs as one HTTP server on loopback, in its own thread."""

import asyncio
import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self, get_args
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from sandbox.apis.api import Api
from sandbox.apis.greenflux import GreenfluxApi
from sandbox.apis.jedlix import JedlixApi
from sandbox.apis.smappee import SmappeeApi
from sandbox.apis.zaptec import ZaptecApi
from sandbox.clock import VirtualClock
from sandbox.control import Control
from sandbox.environment import environment
from sandbox.exchange import Answer, Call, Refusal
from sandbox.fault_kinds import TransportFaultKind, distort
from sandbox.faults import Fault, FaultScript
from sandbox.judgement.dimensions import Pseudonym
from sandbox.responses import response_to
from sandbox.settings import Settings
from sandbox.stir import Spoon
from sandbox.throttle import Throttle
from sandbox.transport_faults import act_out
from sandbox.truth import plain, truth
from sandbox.world import World

_HOST = "127.0.0.1"
_TRANSPORT_FAULTS = frozenset(get_args(TransportFaultKind))
_KEPT_REQUESTS = 200_000


@dataclass(frozen=True)
class Request:
    """One line of the request log. It never holds a body or a header, and so no secret."""

    vendor: str
    endpoint: str
    method: str
    path: str
    query: str
    status: int
    fault: str | None


class Sandbox:
    """The vendors' APIs over `world`, as a context manager.

    `now` is the virtual clock; with `clock_runs` it advances in real time. `settings` holds how the vendors behave,
    `faults` which requests fail, `requests` the log of the latest requests.
    """

    def __init__(
        self,
        world: World,
        now: datetime,
        port: int = 0,
        *,
        settings: Settings | None = None,
        clock_runs: bool = False,
    ) -> None:
        self.world = world
        self.settings = settings or Settings()
        self.faults = FaultScript()
        self.requests: deque[Request] = deque(maxlen=_KEPT_REQUESTS)
        self._clock = VirtualClock(now, clock_runs)
        self._port = port
        self.apis: dict[str, Api] = {
            "zaptec": ZaptecApi(world, self.settings.zaptec),
            "jedlix": JedlixApi(world, self.settings.jedlix),
            "greenflux": GreenfluxApi(world, self.settings.greenflux),
            "smappee": SmappeeApi(world, self.settings.smappee),
        }
        self._throttles = {vendor: Throttle(self.settings.of(vendor)) for vendor in self.apis}
        self._spoon = Spoon(world)
        self._control = Control(self)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    @property
    def now(self) -> datetime:
        """The virtual clock, which may be set at any time, even backwards."""
        return self._clock.now

    @now.setter
    def now(self, instant: datetime) -> None:
        self._clock.now = instant

    @property
    def url(self) -> str:
        """The server's address, without a trailing slash."""
        return f"http://{_HOST}:{self._port}"

    def environment(self) -> dict[str, str]:
        """The environment variables that point Chargehouse at this server."""
        return environment(self.url, self.settings, self.world.parks())

    def truth(
        self,
        refreshes: list[datetime],
        time_zone: str = "UTC",
        *,
        first_read_at: datetime | None = None,
        pseudonym: Pseudonym = plain,
    ) -> dict[str, list[dict[str, Any]]]:
        """What every published table must hold after refreshes at these instants, see `sandbox.truth.truth`."""
        with self.world.lock:
            return truth(self.world, refreshes, time_zone, first_read_at=first_read_at, pseudonym=pseudonym)

    def start(self) -> None:
        """Starts serving; returns once the port is open. Raises OSError if the port cannot be opened."""
        opened: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, args=(opened,), name="sandbox", daemon=True)
        self._thread.start()
        self._port = opened.result()

    def stop(self) -> None:
        """Stops serving and closes every connection."""
        if self._thread is not None and self._loop is not None and self._stopped is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self, opened: "Future[int]") -> None:
        try:
            asyncio.run(self._serve(opened))
        except BaseException as error:
            # Before the port is open, the error belongs to the thread that waits for it.
            if opened.done():
                raise
            opened.set_exception(error)

    async def _serve(self, opened: "Future[int]") -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, _HOST, self._port, backlog=512).start()
            opened.set_result(runner.addresses[0][1])
            await self._stopped.wait()
        finally:
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        vendor, _, path = request.path.lstrip("/").partition("/")
        content = await request.read() if request.method != "GET" else b""
        if vendor == "sandbox":
            answer = await asyncio.to_thread(self._control.answer, request.method, path, request.query, content)
            return response_to(answer)
        api = self.apis.get(vendor)
        if api is None:
            return web.Response(status=404)
        call = Call(
            request.method,
            f"/{path}",
            request.query,
            request.headers,
            _form(request.content_type, content),
            self.now,
            f"{self.url}/{vendor}",
        )
        latency = self.settings.of(vendor).latency_seconds
        if latency:
            await asyncio.sleep(latency)
        return await self._answer(vendor, api, call, request)

    async def _answer(self, vendor: str, api: Api, call: Call, request: web.BaseRequest) -> web.StreamResponse:
        endpoint = api.endpoint(call)
        answer = self._throttles[vendor].refusal() or _answer(api, call)
        armed = self.faults.next(vendor, endpoint, api.scope(call))
        fault = armed.resolved() if armed is not None else None
        if fault is not None and fault.kind not in _TRANSPORT_FAULTS and fault.kind != "stir":
            answer = distort(fault.kind, answer, fault.value, fault.retry_after, call.query.get("Cursor"))
        self.requests.append(
            Request(
                vendor,
                endpoint,
                call.method,
                call.path,
                request.query_string,
                answer.status,
                None if fault is None else fault.kind,
            )
        )
        self._after_page(vendor, endpoint, answer, fault)
        if fault is not None and fault.kind in _TRANSPORT_FAULTS:
            return await act_out(fault.kind, fault.value, answer, request)
        return response_to(answer)

    def _after_page(self, vendor: str, endpoint: str, answer: Answer, fault: Fault | None) -> None:
        # A page lost with a broken connection has not been served.
        arrives = fault is None or fault.kind == "hang" or fault.kind not in _TRANSPORT_FAULTS
        if arrives and any(armed.kind == "stir" for armed in self.faults.armed()):
            self._spoon.serve(vendor, endpoint, answer.object_ids)
        if fault is not None and fault.kind == "stir":
            self.now = self._spoon.stir(vendor, endpoint, self.now)


def _answer(api: Api, call: Call) -> Answer:
    try:
        return api.answer(call)
    except Refusal as refusal:
        return refusal.answer


def _form(content_type: str, content: bytes) -> Mapping[str, str]:
    if not content:
        return {}
    if content_type == "application/json":
        try:
            fields = orjson.loads(content)
        except orjson.JSONDecodeError:
            return {}
        return {str(name): str(value) for name, value in fields.items()} if isinstance(fields, dict) else {}
    return dict(parse_qsl(content.decode("utf-8", "replace")))
