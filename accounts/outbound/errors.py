"""Errors of requests to addresses that people gave."""

from __future__ import annotations

from django.utils.functional import Promise


class OutboundError(Exception):
    """The request has no usable response."""


class RefusedAddress(OutboundError):
    """The guard refused the address, so that nothing was sent. The message is for people."""

    def __init__(self, message: str | Promise) -> None:
        super().__init__(message)
        self.message = message


class RequestFailed(OutboundError):
    """The server is away, too slow, sends too much, or answers with something else than asked.
    The message is for the log. `status` is that of the answer, None if its headers did not come."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
