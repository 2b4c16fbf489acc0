"""Answers converted to responses of the HTTP library."""

from aiohttp import web

from sandbox.exchange import Answer


def response_to(answer: Answer) -> web.Response:
    """The response for an answer; without a body it has no content type."""
    return web.Response(
        status=answer.status,
        body=answer.body,
        headers=answer.headers,
        content_type=answer.content_type if answer.body else None,
    )
