"""Reads a request that offers a protocol which we do not know, on Uvicorn with httptools.

The parser takes all that follows the header Upgrade for the other protocol: the body too, which
Java's and curl's clients send with `Upgrade: h2c`. A server that does not know the protocol answers
as if the header were not there, as h11 and Daphne do. So such a request is read again without it.
"""

from __future__ import annotations

import sys

import httptools

from config.uvicorn_pipeline import PipeliningProtocol


class UpgradeIgnoringProtocol(PipeliningProtocol):
    _piece = memoryview(b"")
    """The bytes that the parser has."""

    def parse(self, data: memoryview) -> None:
        self._piece = data
        super().parse(data)
        self._piece = memoryview(b"")

    def on_headers_complete(self) -> None:
        if not self._is_read_twice():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._is_read_twice():
            super().on_message_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """Uvicorn calls this at the end of the headers, and reads nothing of what follows."""
        upgrade = sys.exception()
        if self._is_read_twice() and isinstance(upgrade, httptools.HttpParserUpgrade):
            rest = self._piece[upgrade.args[0] :]
            head = self._build_head_without_upgrade()
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            self.parse(memoryview(head + rest))

    def _is_read_twice(self) -> bool:
        """CONNECT has no body, and the parser expects another protocol after it anyway."""
        is_upgrade = self.parser.should_upgrade() and not self._should_upgrade()
        return is_upgrade and self.parser.get_method() != b"CONNECT"

    def _build_head_without_upgrade(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])
