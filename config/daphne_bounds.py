"""Bounds what Daphne takes in before the application is asked: it would keep a body of any length
in a file, and wait for headers for as long as a byte comes now and then."""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import unquote

from daphne import http_protocol, ws_protocol
from daphne.access import AccessLogGenerator
from twisted.internet import reactor
from twisted.web import http

from config.bodies import (
    BODY_SECONDS,
    FAREWELL_SECONDS,
    TOO_LARGE,
    max_body_bytes,
    max_body_bytes_if_signed_in,
)
from config.headers import HEADERS_SECONDS, MAX_FRAME_BYTES
from config.health import PATH as HEALTH
from config.logs import MAX_METHOD_CHARS, path_for_log
from streaming.addresses import address_of

REFUSAL = (
    b"HTTP/1.1 413 Content Too Large\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(TOO_LARGE), TOO_LARGE)
)

READ_AS_ASCII = (
    b"sec-websocket-protocol",
    b"x-forwarded-for",  # with --proxy-headers
    b"x-forwarded-port",
    b"x-forwarded-proto",
)
"""What Daphne reads by itself. It would answer other bytes by 500, with a traceback in the log."""

MAX_UNKNOWN_BYTES_OF_AN_ADDRESS = 16 * 2**20
MAX_UNKNOWN_BYTES = 64 * 2**20
"""Of all bodies under way, beyond what anybody may send, whose sessions this process does not know:
nobody can be asked here whom they sign in, and the application asks once they are complete."""

_unknown: Counter[str] = Counter()
"""How many such bytes each address has under way."""


class BoundedRequest(http_protocol.WebRequest):
    """A request whose body is refused as soon as it is known to be too large, and its headers where
    Daphne could not read them."""

    _refused = False
    _taken = 0
    _most = 0
    _known_most = 0
    _unknown = 0
    _address = ""

    def gotLength(self, length: int | None) -> None:
        # Daphne would put what a client writes here before every address that Django makes.
        self.requestHeaders.removeHeader(b"daphne-root-path")
        headers = [
            (name, value)
            for name, values in self.requestHeaders.getAllRawHeaders()
            for value in values
        ]
        method = self.channel._command.decode("latin-1")
        self._known_most = max_body_bytes(method, headers)
        self._most = max_body_bytes_if_signed_in(method, headers)
        if self._most > self._known_most:
            peer = getattr(self.channel.transport.getPeer(), "host", "")
            self._address = address_of({"client": (peer, 0), "headers": headers})
            self.notifyFinish().addBoth(self._forget_unknown)
        too_large = length is not None and length > self._most
        super().gotLength(0 if too_large else length)
        if too_large:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        self._taken += len(data)
        if self._taken > self._most or (not self._refused and not self._count_unknown(len(data))):
            self._refuse()
        if not self._refused:
            super().handleContentChunk(data)

    def _count_unknown(self, length: int) -> bool:
        """Whether so many bytes more may be under way of sessions that are not known here."""
        if self._most == self._known_most or self._taken <= self._known_most:
            return True
        if (
            _unknown[self._address] + length > MAX_UNKNOWN_BYTES_OF_AN_ADDRESS
            or _unknown.total() + length > MAX_UNKNOWN_BYTES
        ):
            return False
        _unknown[self._address] += length
        self._unknown += length
        return True

    def _forget_unknown(self, _: object) -> None:
        _unknown[self._address] -= self._unknown
        self._unknown = 0
        if not _unknown[self._address]:
            del _unknown[self._address]

    def requestReceived(self, *args: Any) -> None:
        if self.requestHeaders.hasHeader(b"upgrade"):
            self._forget_unknown(None)  # a socket takes the connection, and this never finishes
        if self._refused:
            self.channel.loseConnection()
        else:
            super().requestReceived(*args)

    def process(self) -> None:
        if all(map(self._is_ascii, READ_AS_ASCII)):
            super().process()
        else:
            self.basic_error(400, b"Bad Request", "Invalid header value")

    def _is_ascii(self, name: bytes) -> bool:
        return all(value.isascii() for value in self.requestHeaders.getRawHeaders(name, ()))

    def _refuse(self) -> None:
        """What still comes is dropped. To close at once would take the answer away from a client
        that is still sending."""
        if not self._refused:
            self._refused = True
            self.content.close()
            self.channel.transport.write(REFUSAL)
            self.channel.setTimeout(FAREWELL_SECONDS)


class BoundedSocket(ws_protocol.WebSocketProtocol):
    """A socket that takes short messages only, and of which nothing is read before it is accepted:
    all of that would be kept."""

    def _connectionMade(self) -> None:
        super()._connectionMade()
        self.maxFramePayloadSize = self.maxMessagePayloadSize = MAX_FRAME_BYTES

    def sendMessage(self, *message: Any, **options: Any) -> None:
        self.maxMessagePayloadSize = 0  # else it would hold for what we send, too
        try:
            super().sendMessage(*message, **options)
        finally:
            self.maxMessagePayloadSize = MAX_FRAME_BYTES

    def onConnect(self, request: Any) -> Any:
        # Daphne resumes the connection right after this.
        clock: Any = reactor
        clock.callLater(0, self._pause)
        return super().onConnect(request)

    def _pause(self) -> None:
        if self.state == self.STATE_CONNECTING:
            self.transport.pauseProducing()

    def serverAccept(self, subprotocol: str | None = None) -> None:
        self.transport.resumeProducing()
        super().serverAccept(subprotocol)


class BoundedChannel(http.HTTPChannel):
    """A connection on which a request has to be complete in time, however busily it drips."""

    _begun = True
    """Whether a request is awaited in time: the first one, from the connection on."""

    def connectionMade(self) -> None:
        super().connectionMade()
        self.setTimeout(HEADERS_SECONDS)

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


_log_action = AccessLogGenerator.__call__


def _log_little(self: Any, protocol: str, action: str, details: dict[str, Any]) -> None:
    path = unquote(details["path"].partition("?")[0])
    if path != HEALTH:
        method = details.get("method", "")[:MAX_METHOD_CHARS]
        _log_action(
            self, protocol, action, details | {"path": path_for_log(path), "method": method}
        )


def bound() -> None:
    """From now on, for every connection that Daphne takes."""
    assert reactor is not None
    AccessLogGenerator.__call__ = _log_little
    http_protocol.WebRequest = BoundedRequest
    ws_protocol.WebSocketFactory.protocol = BoundedSocket
    http_protocol.HTTPFactory.protocol = staticmethod(
        lambda: http._GenericHTTPChannelProtocol(BoundedChannel())
    )
