"""A mail server on loopback that can be slow and can refuse mails."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import StreamRequestHandler, ThreadingTCPServer


class MailServer(ThreadingTCPServer):
    """Speaks as much SMTP as a client without TLS and without a password needs."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, delay_seconds: float = 0.0) -> None:
        super().__init__(("127.0.0.1", 0), MailHandler)
        self.delay_seconds = delay_seconds
        self.refusals_left = 0
        self.mails: list[str] = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class MailHandler(StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._answer("220 ready")
        while line := self.rfile.readline():
            match line[:4].upper():
                case b"MAIL":
                    self._answer(self._receive_sender())
                case b"DATA":
                    self._answer("354 go on")
                    self.server.mails.append(self._read_mail())
                    self._answer("250 taken")
                case b"QUIT":
                    self._answer("221 bye")
                    break
                case _:
                    self._answer("250 yes")

    def _receive_sender(self) -> str:
        self.server.may_answer.wait(30)
        time.sleep(self.server.delay_seconds)
        if self.server.refusals_left:
            self.server.refusals_left -= 1
            return "451 <someone@example.org> has to wait"
        return "250 yes"

    def _read_mail(self) -> str:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.decode())
        return "".join(lines)

    def _answer(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def run_mail_server(delay_seconds: float = 0.0) -> Iterator[MailServer]:
    with MailServer(delay_seconds) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
        thread.start()
        yield server
        server.may_answer.set()
        server.shutdown()
