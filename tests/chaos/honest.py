"""The honest person of an attack: reads pages, asks, keeps a socket open, and is timed."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID, uuid4

import httpx2
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tools.deployment.raw_rows import Rows
from tools.fake_provider import Behaviour

PAGES = 60
TOKENS = 20
SIGN_INS = 6
PATIENCE = 60.0
PASSWORD = "kelp-holds-fast-7"
EMAIL = "honest@holdfast.test"
HOME = "127.0.0.41"
"""Where nobody attacks from."""
MODELS = ("gpt-4o-mini", "demo-fast")
ANSWER = Behaviour.of("An ", "honest ", "answer.", times=None, prompt="honest question")


@dataclass(slots=True)
class Figures:
    """What was measured: seconds of pages, of first tokens and of sign-ins, and what went wrong."""

    pages: list[float] = field(default_factory=list)
    tokens: list[float] = field(default_factory=list)
    sign_ins: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def p95(self, name: str) -> float:
        return p95(getattr(self, name))


def p95(seconds: Sequence[float]) -> float:
    """The value that 95 of a hundred do not exceed; none is the worst there is."""
    if not seconds:
        return float("inf")
    ordered = sorted(seconds)
    return ordered[-(-len(ordered) * 95 // 100) - 1]


class Honest:
    """Somebody at 127.0.0.1 with a session, a key and an open socket."""

    def __init__(self, base_url: str, session: str, rows: Rows) -> None:
        self.base_url = base_url
        self._rows = rows
        token = "a" * 32
        self._cookies = {"sessionid": session, "csrftoken": token}
        self.http = self._client(self._cookies)
        self._begun: dict[str, float] = {}
        self._closing = threading.Event()
        self._ear = threading.Thread(target=self._hear, name="honest socket", daemon=True)
        self._socket: ClientConnection | None = None
        self.closed: list[str] = []
        self.conversation = ""

    def _client(self, cookies: dict[str, str], address: str = "127.0.0.1") -> httpx2.Client:
        return httpx2.Client(
            transport=httpx2.HTTPTransport(local_address=address),
            base_url=self.base_url,
            cookies=cookies,
            timeout=PATIENCE,
            headers={"X-CSRFToken": cookies["csrftoken"]},
        )

    def __enter__(self) -> Self:
        saved = self.http.post("/settings/keys/openai/", data={"key": "sk-honest-0123456789"})
        assert saved.status_code < 400, f"the key was refused: {saved.status_code} {saved.text}"
        self._ear.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        if self._socket is not None:
            self._socket.close()
        self._ear.join(10)
        self.http.close()

    # The socket

    def _hear(self) -> None:
        while not self._closing.is_set():
            try:
                with self._connected() as socket:
                    self._socket = socket
                    for frame in socket:
                        self._take(socket, json.loads(frame))
            except ConnectionClosed:
                pass
            except OSError as error:
                self.closed.append(f"the socket was refused: {error!r}")
            if not self._closing.wait(0.5):
                code = self._socket.close_code if self._socket else None
                self.closed.append(f"the socket was closed with {code}")

    def _connected(self) -> ClientConnection:
        cookie = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        options: dict[str, Any] = {"origin": self.base_url, "open_timeout": PATIENCE}
        return connect(
            self.base_url.replace("http", "ws", 1) + "/ws/",
            additional_headers={"Cookie": cookie},
            proxy=None,
            **options,
        )

    def _take(self, socket: ClientConnection, frame: dict[str, Any]) -> None:
        if frame["type"] == "ping":
            socket.send(json.dumps({"type": "pong", "n": frame["n"]}))
        elif frame["type"] in ("chunk", "snapshot", "end"):
            self._begun.setdefault(frame["stream"], time.monotonic())

    # What is timed

    def measure(
        self, seconds: float, *, share: float = 1.0, browser: httpx2.Client | None = None
    ) -> Figures:
        """Pages and first tokens, spread over so many seconds; a share of them in a short run. With
        a browser that was signed in before, sign-ins from there, too."""
        figures = Figures()
        self.closed = []
        paths = [
            "/",
            "/settings/replies/",
            f"/c/{self.conversation}/" if self.conversation else "/",
        ]

        def page(number: int) -> None:
            figures.pages.append(self._page(paths[number % len(paths)], figures))

        def token(number: int) -> None:
            figures.tokens.append(self._first_token(MODELS[number % 2], figures))

        def enter(_: int) -> None:
            assert browser is not None
            figures.sign_ins.append(_sign_in_in_time(browser, figures))

        acts: list[tuple[Callable[[int], None], int]] = [
            (page, max(6, round(PAGES * share))),
            (token, max(2, round(TOKENS * share))),
        ]
        if browser is not None:
            acts.append((enter, max(1, round(SIGN_INS * share))))
        threads = [
            threading.Thread(target=_spread, args=(act, count, seconds)) for act, count in acts
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        figures.faults += self.closed
        return figures

    def _page(self, path: str, figures: Figures) -> float:
        began = time.monotonic()
        try:
            status = self.http.get(path).status_code
        except httpx2.HTTPError as error:
            figures.faults.append(f"{path}: {error!r}")
            return PATIENCE
        if status != 200:
            figures.faults.append(f"{path} answered {status}")
        return time.monotonic() - began

    def _first_token(self, model: str, figures: Figures) -> float:
        request, began = uuid4(), time.monotonic()
        form = {"text": "An honest question", "model": model, "request_id": str(request)}
        try:
            posted = self.http.post("/c/", data=form)
        except httpx2.HTTPError as error:
            figures.faults.append(f"a question: {error!r}")
            return PATIENCE
        if posted.status_code != 302:
            figures.faults.append(f"a question was refused: {posted.status_code}")
            return PATIENCE
        self.conversation = self.conversation or posted.headers["location"].split("/")[2]
        stream = str(UUID(str(self._rows.one("streaming_stream", request_id=request)["uuid"])))
        self._follow(stream)
        while stream not in self._begun and time.monotonic() - began < PATIENCE:
            time.sleep(0.01)
        return self._begun.get(stream, began + PATIENCE) - began

    def _follow(self, stream: str) -> None:
        """A socket that was just closed comes back, and is counted where it was closed."""
        for _ in range(20):
            try:
                assert self._socket is not None
                self._socket.send(json.dumps({"type": "follow", "stream": stream, "after": -1}))
                return
            except (AssertionError, ConnectionClosed):
                time.sleep(0.5)

    def open_browser(self) -> httpx2.Client:
        """One that is not signed in, at home."""
        return self._client({"csrftoken": "b" * 32}, HOME)


def sign_in(browser: httpx2.Client, email: str, password: str) -> bool:
    """Sign in, and forget the session. What makes the browser a known one is kept."""
    form = {"login": email, "password": password}
    answer = browser.post("/accounts/login/", data=form)
    cookies = {cookie.name: cookie.value or "" for cookie in browser.cookies.jar}
    is_signed_in = answer.status_code == 302 and cookies.pop("sessionid", "") != ""
    browser.cookies = httpx2.Cookies(cookies | {"csrftoken": browser.headers["X-CSRFToken"]})
    return is_signed_in


def _sign_in_in_time(browser: httpx2.Client, figures: Figures) -> float:
    began = time.monotonic()
    try:
        if not sign_in(browser, EMAIL, PASSWORD):
            figures.faults.append("a known browser could not sign in during the attack")
    except httpx2.HTTPError as error:
        figures.faults.append(f"signing in: {error!r}")
        return PATIENCE
    return time.monotonic() - began


def _spread(act: Callable[[int], None], count: int, seconds: float) -> None:
    """So many times at equal distances, later if it takes longer; never much past the time."""
    began = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, began + number * seconds / count - time.monotonic()))
        if number > 1 and time.monotonic() - began > seconds + PATIENCE:
            return
        act(number)
