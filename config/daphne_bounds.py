"""Bounds what Daphne takes in before the application is asked: it would keep a body of any length
in a file, and wait for headers for as long as a byte comes now and then."""

from __future__ import annotations

from typing import Any

from daphne import http_protocol
from twisted.internet import reactor
from twisted.web import http

from config.bodies import BODY_SECONDS, FAREWELL_SECONDS, TOO_LARGE, max_body_bytes

HEADERS_SECONDS = 20
"""How long the headers of a request may take after its first byte."""

REFUSAL = (
    b"HTTP/1.1 413 Content Too Large\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(TOO_LARGE), TOO_LARGE)
)


class BoundedRequest(http_protocol.WebRequest):
    """A request whose body is refused as soon as it is known to be too large."""

    _refused = False
    _taken = 0
    _most = 0

    def gotLength(self, length: int | None) -> None:
        headers = [
            (name, value)
            for name, values in self.requestHeaders.getAllRawHeaders()
            for value in values
        ]
        self._most = max_body_bytes(self.channel._command.decode("latin-1"), headers)
        too_large = length is not None and length > self._most
        super().gotLength(0 if too_large else length)
        if too_large:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        self._taken += len(data)
        if self._taken > self._most:
            self._refuse()
        if not self._refused:
            super().handleContentChunk(data)

    def requestReceived(self, *args: Any) -> None:
        if self._refused:
            self.channel.loseConnection()
        else:
            super().requestReceived(*args)

    def _refuse(self) -> None:
        """What still comes is dropped. To close at once would take the answer away from a client
        that is still sending."""
        if not self._refused:
            self._refused = True
            self.content.close()
            self.channel.transport.write(REFUSAL)
            self.channel.setTimeout(FAREWELL_SECONDS)


class BoundedChannel(http.HTTPChannel):
    """A connection on which a request has to be complete in time, however busily it drips."""

    _begun = False

    def dataReceived(self, data: bytes) -> None:
        if data and not self._begun and not self._handlingRequest:
            self._begun = True
            self.setTimeout(HEADERS_SECONDS)
        super().dataReceived(data)

    def resetTimeout(self) -> None:
        """A byte is no reason to wait longer."""

    def allHeadersReceived(self) -> None:
        self.setTimeout(BODY_SECONDS)
        super().allHeadersReceived()

    def allContentReceived(self) -> None:
        self._begun = False
        super().allContentReceived()


def bound() -> None:
    """From now on, for every connection that Daphne takes."""
    assert reactor is not None
    http_protocol.WebRequest = BoundedRequest
    http_protocol.HTTPFactory.protocol = staticmethod(
        lambda: http._GenericHTTPChannelProtocol(BoundedChannel())
    )
