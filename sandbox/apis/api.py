"""The interface between the server and a vendor's API."""

from typing import Protocol

from sandbox.exchange import Answer, Call
from sandbox.tokens import TokenDesk


class Api(Protocol):
    """One vendor's API. A refused call raises `sandbox.exchange.Refusal`."""

    tokens: TokenDesk

    def endpoint(self, call: Call) -> str:
        """The name of the endpoint that a call is for: that of a list, `token` for sign-in, or `unknown`."""

    def scope(self, call: Call) -> str | None:
        """The installation, charger, user or park that a call is for; None where the endpoint has no scopes."""

    def answer(self, call: Call) -> Answer:
        """Answers a call."""
