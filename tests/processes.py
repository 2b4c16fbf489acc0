"""What tests need that start services of their own: a free port, whether a web UI answers there, and patience."""

import time
from collections.abc import Callable
from socket import create_server

import urllib3

PATIENCE_SECONDS = 120
"""Far beyond what anything takes: the machine may be busy with other tests."""


def free_port() -> int:
    """A port of this host at which nobody listens."""
    with create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def answers(port: int) -> bool:
    """Whether Dagster's web server answers at this port."""
    try:
        return urllib3.request("GET", f"http://127.0.0.1:{port}/server_info", retries=False, timeout=5).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Look again and again; fails, and says what never came to be, once patience is at its end."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.2)
