"""A server of the static files with our content security policy, for pages without Django."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

from config.security import CONTENT_SECURITY_POLICY

STATIC = Path(__file__).resolve().parents[1] / "static"
BLANK = b"""<!doctype html><html lang=en><title>Blank</title>
<link rel=icon href=/img/favicon.svg><body><main></main></body></html>"""


class Files(SimpleHTTPRequestHandler):
    """The static files under / and under /static/, and pages that the caller puts into `pages`."""

    protocol_version = "HTTP/1.1"
    pages: dict[str, bytes] = {}
    held: dict[str, Event] = {}

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments, directory=str(STATIC))  # type: ignore[arg-type]

    @classmethod
    @contextmanager
    def unanswered(cls, path: str) -> Iterator[None]:
        """Let requests for this path wait until the end of the block."""
        cls.held[path] = Event()
        yield
        cls.held.pop(path).set()

    def do_GET(self) -> None:
        if self.path in self.held:
            self.held[self.path].wait()
        page = self.pages.get(self.path, BLANK if self.path == "/" else None)
        if page is None:
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)
        return None

    def do_POST(self) -> None:
        """Answer with half a body."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"<article>")
        self.close_connection = True

    def translate_path(self, path: str) -> str:
        return super().translate_path(path.removeprefix("/static"))

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def serve_static() -> Iterator[str]:
    """The address of a server that runs until the end of the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
