"""Checks that a server can listen on its address, before any part of it is started."""

import socket

from pipelines.faults import ConfigurationError


def check_can_listen(host: str, port: int) -> None:
    """Raises ConfigurationError for an invalid port or host, and OSError if nothing can listen there now."""
    if not 1 <= port <= 65_535:
        raise ConfigurationError(f"--port must be from 1 to 65535, not {port}.")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # As the server does it: connections that have just ended do not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except UnicodeError:
            raise ConfigurationError(f"--host must be an address or a name of this machine, not {host!r}.") from None
        except OSError as error:
            raise OSError(error.errno, f"cannot listen on port {port} of {host}: {error.strerror}") from error
