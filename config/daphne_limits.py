"""Limits what Daphne reads before it calls the application: it would store a body of any length in
a file, and wait for headers as long as a byte arrives now and then."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from daphne import http_protocol, ws_protocol
from django.db.utils import Error
from twisted.internet import interfaces, reactor
from twisted.web import http

from chat.doors.registry import find_max_frame_bytes
from config.body_budget import BodyReservation
from config.body_limits import (
    LINGERING_CLOSE_SECONDS,
    build_refusal,
    max_body_bytes_if_signed_in,
)
from config.credential_owners import credential_owners
from config.daphne_chunks import PacedHTTPChannel
from config.daphne_frames import PacedDaphneProtocol
from config.daphne_logs import redact_access_log
from config.early_answers import build_early_answer, build_scope, encode_early_answer
from config.header_limits import BODY_TIMEOUT_SECONDS, HEADER_TIMEOUT_SECONDS, MAX_FRAME_BYTES
from config.https import FORWARDED_PROTO
from config.response_headers import (
    add_missing_headers,
    build_header_block,
    choose_headers,
    encode_headers,
)
from streaming.doors.client_identity import get_rate_limit_address
from streaming.doors.sender import BREAK_KEY
from streaming.doors.unread import use_connection

ASCII_ONLY_HEADERS = (
    b"sec-websocket-protocol",
    b"x-forwarded-for",  # with --proxy-headers
    b"x-forwarded-port",
    b"x-forwarded-proto",
)
"""Daphne accepts only ASCII in these. It would answer other bytes with 500 and a traceback in the
log."""

MAX_UNREAD_BYTES = 2 * 2**20
"""Bytes that wait for the client of a socket whose protocol has no acknowledgements. Uvicorn waits
for the client instead."""


class LimitedRequest(http_protocol.WebRequest):
    """A request whose body is refused as soon as it is known to be too large, and whose headers are
    refused if Daphne could not read them."""

    is_refused = False
    _is_complete = False
    _owner_query: asyncio.Future[None] | None = None
    _uncounted_bytes = 0
    _received_bytes = 0
    _max_bytes = 0
    _reservation: BodyReservation
    _scope: dict[str, Any]
    """The parts of a scope that are known once the headers have arrived."""

    def gotLength(self, length: int | None) -> None:
        # Nobody uses what Twisted parses, and it does so on the event loop.
        self._parsePOSTFormSubmission = False
        # Daphne would put this text of a client before every address that Django builds.
        self.requestHeaders.removeHeader(b"daphne-root-path")
        headers = [
            (name, value)
            for name, values in self.requestHeaders.getAllRawHeaders()
            for value in values
        ]
        # Twisted sets the public names once the body is complete, which is too late for a limit.
        method, target = self.channel._command.decode("latin-1"), self.channel._path
        scheme = "https" if self.isSecure() else "http"
        self._scope = build_scope(method, target, headers, scheme)
        self._max_bytes = max_body_bytes_if_signed_in(method, headers)
        peer = getattr(self.channel.transport.getPeer(), "host", "")
        address = get_rate_limit_address({"client": (peer, 0), "headers": headers})
        # The application counts the bytes once it has them.
        self._reservation = BodyReservation(headers, address)
        self.notifyFinish().addBoth(lambda _: self._reservation.release())
        too_large = length is not None and length > self._max_bytes
        super().gotLength(0 if too_large else length)
        if too_large:
            self.refuse(413)

    def handleContentChunk(self, data: bytes) -> None:
        """The limit of a body's length is that of a person, as long as this process does not know
        the session. The application looks that up once the body is complete."""
        self._received_bytes += len(data)
        if self._received_bytes > self._max_bytes:
            self.refuse(413)
        elif not self.is_refused and not self._reservation.try_add(len(data)):
            self._count_for_owner(len(data))
        if not self.is_refused:
            super().handleContentChunk(data)

    def _count_for_owner(self, count: int) -> None:
        """A person waits for no visitors, so the session is looked up once. Meanwhile no more is
        read from the network."""
        self._uncounted_bytes += count
        if self._owner_query is None and self._reservation.credential is not None:
            self.channel._networkProducer.pauseProducing()
            self._owner_query = asyncio.ensure_future(self._look_up_owner())
        elif self._owner_query is None or self._owner_query.done():
            self.refuse(429)

    async def _look_up_owner(self) -> None:
        with suppress(Error):  # the database is away
            await credential_owners.find_owner(self._reservation.credential)
        if self.channel is None:  # the client is gone
            return
        # A complete body is the application's, which counts it.
        if not self._is_complete and not self._reservation.try_add(self._uncounted_bytes):
            self.refuse(429)
        if not self.channel._waitingForTransport:
            self.channel._networkProducer.resumeProducing()

    def waits_for_owner(self) -> bool:
        return self._owner_query is not None and not self._owner_query.done()

    def requestReceived(self, *args: Any) -> None:
        self._is_complete = True
        if self.is_refused:
            self.channel.loseConnection()
        else:
            super().requestReceived(*args)

    def process(self) -> None:
        if all(map(self._has_ascii_values, ASCII_ONLY_HEADERS)):
            with use_connection(self.channel):
                super().process()
            # Also for a connection that becomes a socket, whose request never finishes.
            self._reservation.release()
        else:
            self.basic_error(400, b"Bad Request", "Invalid header value")

    def _has_ascii_values(self, name: bytes) -> bool:
        return all(value.isascii() for value in self.requestHeaders.getRawHeaders(name, ()))

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Daphne's own errors need the headers; the application's responses have them. A response
        that is broken off gets no proper end."""
        if message["type"] == "http.response.start":
            wanted = encode_headers(choose_headers(self._scope))
            headers = add_missing_headers(message.get("headers", ()), wanted)
            message = {**message, "headers": headers}
        if not message.get(BREAK_KEY):
            super().handle_reply(message)
        elif self.channel is not None:
            self.channel.loseConnection()

    def basic_error(self, status: int, status_text: bytes, body: str) -> None:
        """Daphne's own errors are pages, at each address."""
        text = f"{body}\n".encode()
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(text)).encode()),
        ]
        start = {"type": "http.response.start", "status": status, "headers": headers}
        start, answer = build_early_answer(self._scope, start, text)
        self.handle_reply(start)
        self.handle_reply({"type": "http.response.body", "body": answer})

    def refuse(self, status: int) -> None:
        """Drop the rest of the body. Closing at once would lose the response for a client that is
        still sending."""
        if not self.is_refused:
            self.is_refused = True
            self.content.close()
            self._reservation.release()
            answer = encode_early_answer(self._scope, *build_refusal(status))
            self.channel.transport.write(answer)
            self.channel.setTimeout(LINGERING_CLOSE_SECONDS)


class LimitedWebSocketProtocol(PacedDaphneProtocol):
    """A socket that accepts short messages only, and reads nothing before it is accepted, because
    all of that would stay in memory."""

    def connectionMade(self) -> None:
        super().connectionMade()
        self._set_max_bytes(MAX_FRAME_BYTES)

    def _set_max_bytes(self, count: int) -> None:
        self._max_frame_bytes = self.maxFramePayloadSize = self.maxMessagePayloadSize = count

    def sendMessage(self, *message: Any, **options: Any) -> None:
        self.maxMessagePayloadSize = 0  # otherwise it would also limit what we send
        try:
            super().sendMessage(*message, **options)
        finally:
            self.maxMessagePayloadSize = self._max_frame_bytes
        if self._count_unsent_bytes() > MAX_UNREAD_BYTES:
            self.transport.abortConnection()

    def _count_unsent_bytes(self) -> int:
        """Twisted has no public way to ask."""
        transport: Any = self.transport
        return len(transport.dataBuffer) - transport.offset + transport._tempDataLen

    def onConnect(self, request: Any) -> Any:
        self._set_max_bytes(find_max_frame_bytes(request.path) or MAX_FRAME_BYTES)
        # Daphne resumes the connection right after this.
        clock: Any = reactor
        clock.callLater(0, self._pause_reading)
        return super().onConnect(request)

    def _pause_reading(self) -> None:
        if self.state == self.STATE_CONNECTING:
            self.transport.pauseProducing()

    def sendHttpErrorResponse(self, code: int, reason: str, responseHeaders: Any = None) -> None:
        # Daphne tells the application no scheme of a socket either, so only a proxy's word counts.
        proto = getattr(self, "http_headers", {}).get(FORWARDED_PROTO.decode())
        given = [] if proto is None else [(FORWARDED_PROTO, proto.encode(errors="replace"))]
        own = choose_headers({"headers": given, "scheme": "ws"})
        headers = [*(responseHeaders or ()), *own.items(), ("Content-Length", "0")]
        super().sendHttpErrorResponse(code, reason, headers)

    def serverAccept(self, subprotocol: str | None = None) -> None:
        self.transport.resumeProducing()
        super().serverAccept(subprotocol)


class LimitedHTTPChannel(PacedHTTPChannel):
    """A connection on which a request has to be complete in time, however slowly it arrives."""

    _is_request_pending = True
    """Whether a request must be complete in time: the first one, starting with the connection."""
    _is_body_pending = False

    def connectionMade(self) -> None:
        super().connectionMade()
        self.setTimeout(HEADER_TIMEOUT_SECONDS)

    def dataReceived(self, data: bytes) -> None:
        # The public `requests` also has a request whose headers are still arriving.
        if data and not self._is_request_pending and not self._handlingRequest:
            self._is_request_pending = True
            self.setTimeout(HEADER_TIMEOUT_SECONDS)
        super().dataReceived(data)

    def resetTimeout(self) -> None:
        """A byte does not extend the time."""

    def allHeadersReceived(self) -> None:
        self.setTimeout(BODY_TIMEOUT_SECONDS)
        self._is_body_pending = True
        super().allHeadersReceived()

    def timeoutConnection(self) -> None:
        """Tell a client that its body is late."""
        if self._is_body_pending and not self.requests[-1].is_refused:
            self.requests[-1].refuse(408)
        else:
            super().timeoutConnection()

    def _respondToBadRequestAndDisconnect(self) -> None:
        # Twisted's text, which has no public place for headers.
        transport: Any = self.transport
        if self.requests and self.requests[-1].is_refused:  # a second answer would be wrong
            self.loseConnection()
            return
        is_secure = interfaces.ISSLTransport.providedBy(transport)
        block = build_header_block({"headers": (), "scheme": "https" if is_secure else "http"})
        transport.write(b"HTTP/1.1 400 Bad Request\r\n" + block + b"\r\n")
        self.loseConnection()

    def allContentReceived(self) -> None:
        self._is_request_pending = self._is_body_pending = False
        super().allContentReceived()


def install_limits() -> None:
    """Use these classes from now on, for every connection that Daphne accepts."""
    assert reactor is not None
    redact_access_log()
    http_protocol.WebRequest = LimitedRequest
    ws_protocol.WebSocketFactory.protocol = LimitedWebSocketProtocol
    # Twisted has no public function that wraps a channel of another class.
    http_protocol.HTTPFactory.protocol = staticmethod(
        lambda: http._GenericHTTPChannelProtocol(LimitedHTTPChannel())
    )
