"""The honest person of an attack reads pages, asks questions and keeps a socket open. All of it is
measured."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID, uuid4

import httpx2
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tools.deployment.raw_rows import Rows
from tools.fake_provider import Behaviour

PAGE_COUNT = 60
TOKEN_COUNT = 20
SIGN_IN_COUNT = 6
TIMEOUT_SECONDS = 60.0
PASSWORD = "kelp-holds-fast-7"
EMAIL = "honest@holdfast.test"
OWN_ADDRESS = "127.0.0.41"
"""An address without attackers."""
MODELS = ("gpt-5.5", "demo-fast")
HONEST_ANSWER = Behaviour.of("An ", "honest ", "answer.", times=None, prompt="honest question")


@dataclass(slots=True)
class Measurements:
    """The seconds that pages, first tokens and sign-ins took, and the failures."""

    pages: list[float] = field(default_factory=list)
    tokens: list[float] = field(default_factory=list)
    sign_ins: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def p95(self, name: str) -> float:
        return compute_p95(getattr(self, name))


def compute_p95(seconds: Sequence[float]) -> float:
    """Return the value that 95 % of the values do not exceed; infinity without values."""
    if not seconds:
        return float("inf")
    ordered = sorted(seconds)
    return ordered[-(-len(ordered) * 95 // 100) - 1]


class HonestPerson:
    """A person at 127.0.0.1 with a session, a key and an open socket."""

    def __init__(self, base_url: str, session: str, rows: Rows) -> None:
        self.base_url = base_url
        self._rows = rows
        token = "a" * 32
        self._cookies = {"sessionid": session, "csrftoken": token}
        self.http = self._create_client(self._cookies)
        self._first_token_times: dict[str, float] = {}
        self._closing = threading.Event()
        self._socket_thread = threading.Thread(
            target=self._read_frames, name="honest socket", daemon=True
        )
        self._socket: ClientConnection | None = None
        self.closings: list[str] = []
        self.conversation = ""

    def _create_client(self, cookies: dict[str, str], address: str = "127.0.0.1") -> httpx2.Client:
        return httpx2.Client(
            transport=httpx2.HTTPTransport(local_address=address),
            base_url=self.base_url,
            cookies=cookies,
            timeout=TIMEOUT_SECONDS,
            headers={"X-CSRFToken": cookies["csrftoken"]},
        )

    def __enter__(self) -> Self:
        saved = self.http.post("/settings/keys/openai/", data={"key": "sk-honest-0123456789"})
        assert saved.status_code < 400, f"the key was refused: {saved.status_code} {saved.text}"
        self._socket_thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        if self._socket is not None:
            self._socket.close()
        self._socket_thread.join(10)
        self.http.close()

    # The socket

    def _read_frames(self) -> None:
        while not self._closing.is_set():
            try:
                with self._connect() as socket:
                    self._socket = socket
                    for frame in socket:
                        self._handle_frame(socket, json.loads(frame))
            except ConnectionClosed:
                pass
            except OSError as error:
                self.closings.append(f"the socket was refused: {error!r}")
            if not self._closing.wait(0.5):
                code = self._socket.close_code if self._socket else None
                self.closings.append(f"the socket was closed with {code}")

    def _connect(self) -> ClientConnection:
        cookie = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        options: dict[str, Any] = {"origin": self.base_url, "open_timeout": TIMEOUT_SECONDS}
        return connect(
            self.base_url.replace("http", "ws", 1) + "/ws/",
            additional_headers={"Cookie": cookie},
            proxy=None,
            **options,
        )

    def _handle_frame(self, socket: ClientConnection, frame: dict[str, Any]) -> None:
        if frame["type"] == "ping":
            socket.send(json.dumps({"type": "pong", "n": frame["n"]}))
        elif frame["type"] in ("chunk", "snapshot", "end"):
            self._first_token_times.setdefault(frame["stream"], time.monotonic())

    # Measured actions

    def measure(
        self, seconds: float, *, share: float = 1.0, browser: httpx2.Client | None = None
    ) -> Measurements:
        """Measure pages and first tokens, spread over so many seconds; a share of them in a short
        run. With a known browser, measure its sign-ins as well."""
        measurements = Measurements()
        self.closings = []
        paths = [
            "/",
            "/settings/replies/",
            f"/c/{self.conversation}/" if self.conversation else "/",
        ]

        def measure_page(number: int) -> None:
            measurements.pages.append(self._time_page(paths[number % len(paths)], measurements))

        def measure_token(number: int) -> None:
            measurements.tokens.append(self._time_first_token(MODELS[number % 2], measurements))

        def measure_sign_in(_: int) -> None:
            assert browser is not None
            measurements.sign_ins.append(_time_sign_in(browser, measurements))

        actions: list[tuple[Callable[[int], None], int]] = [
            (measure_page, max(6, round(PAGE_COUNT * share))),
            (measure_token, max(2, round(TOKEN_COUNT * share))),
        ]
        if browser is not None:
            actions.append((measure_sign_in, max(1, round(SIGN_IN_COUNT * share))))
        threads = [
            threading.Thread(target=_repeat_at_intervals, args=(action, count, seconds))
            for action, count in actions
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        measurements.failures += self.closings
        return measurements

    def warm_up(self) -> None:
        """Let each process open all its threads and connections to the database, and load the
        libraries of providers. Their memory is no growth."""
        with ThreadPoolExecutor(max_workers=30) as crowd:
            for answer in crowd.map(self.http.get, ["/", "/settings/replies/"] * 60):
                assert answer.status_code == 200, answer
            for seconds in crowd.map(self._time_first_token, [MODELS[0]] * 8, [Measurements()] * 8):
                assert seconds < TIMEOUT_SECONDS

    def _time_page(self, path: str, measurements: Measurements) -> float:
        started_at = time.monotonic()
        try:
            status = self.http.get(path).status_code
        except httpx2.HTTPError as error:
            measurements.failures.append(f"{path}: {error!r}")
            return TIMEOUT_SECONDS
        if status != 200:
            measurements.failures.append(f"{path} answered {status}")
        return time.monotonic() - started_at

    def _time_first_token(self, model: str, measurements: Measurements) -> float:
        request, started_at = uuid4(), time.monotonic()
        form = {"text": "An honest question", "model": model, "request_id": str(request)}
        try:
            response = self.http.post("/c/", data=form)
        except httpx2.HTTPError as error:
            measurements.failures.append(f"a question: {error!r}")
            return TIMEOUT_SECONDS
        if response.status_code != 302:
            measurements.failures.append(f"a question was refused: {response.status_code}")
            return TIMEOUT_SECONDS
        self.conversation = self.conversation or response.headers["location"].split("/")[2]
        stream = str(UUID(str(self._rows.one("streaming_stream", request_id=request)["uuid"])))
        self._send_follow(stream)
        while (
            stream not in self._first_token_times
            and time.monotonic() - started_at < TIMEOUT_SECONDS
        ):
            time.sleep(0.01)
        return self._first_token_times.get(stream, started_at + TIMEOUT_SECONDS) - started_at

    def _send_follow(self, stream: str) -> None:
        """Send the command. If the socket is closed, wait until it is open again."""
        for _ in range(20):
            try:
                assert self._socket is not None
                self._socket.send(json.dumps({"type": "follow", "stream": stream, "after": -1}))
                return
            except (AssertionError, ConnectionClosed):
                time.sleep(0.5)

    def open_browser(self) -> httpx2.Client:
        """A browser that is not signed in, at the person's own address."""
        return self._create_client({"csrftoken": "b" * 32}, OWN_ADDRESS)


def sign_in(browser: httpx2.Client, email: str, password: str) -> bool:
    """Sign in, and drop the session. The cookie that makes the browser a known one stays."""
    form = {"login": email, "password": password}
    answer = browser.post("/accounts/login/", data=form)
    cookies = {cookie.name: cookie.value or "" for cookie in browser.cookies.jar}
    is_signed_in = answer.status_code == 302 and cookies.pop("sessionid", "") != ""
    browser.cookies = httpx2.Cookies(cookies | {"csrftoken": browser.headers["X-CSRFToken"]})
    return is_signed_in


def _time_sign_in(browser: httpx2.Client, measurements: Measurements) -> float:
    started_at = time.monotonic()
    try:
        if not sign_in(browser, EMAIL, PASSWORD):
            measurements.failures.append("a known browser could not sign in during the attack")
    except httpx2.HTTPError as error:
        measurements.failures.append(f"signing in: {error!r}")
        return TIMEOUT_SECONDS
    return time.monotonic() - started_at


def _repeat_at_intervals(action: Callable[[int], None], count: int, seconds: float) -> None:
    """Call the action at equal intervals; later if it takes longer, but never much past the
    time."""
    started_at = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, started_at + number * seconds / count - time.monotonic()))
        if number > 1 and time.monotonic() - started_at > seconds + TIMEOUT_SECONDS:
            return
        action(number)
