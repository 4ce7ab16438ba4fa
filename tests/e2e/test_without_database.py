"""PostgreSQL is away for a while: pages report it, each process logs it once, and everything
continues afterwards."""

from __future__ import annotations

import signal
import time

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.e2e.conftest import StartDeployment
from tools.fake_provider import Behaviour, Fake
from tools.services import Postgres
from tools.waiting import until

OUTAGE_SECONDS = 2.5
"""Seconds after which every poll of a second has failed once."""


def test_an_outage_of_the_database_is_shown_by_pages_and_logged_once(
    start_deployment: StartDeployment, fake: Fake, postgres_server: Postgres
) -> None:
    deployment = start_deployment("stack")
    owner = deployment.person("owner")
    owner.add_key("openai")
    fake.script(Behaviour.of("Before, ", "and after.", hold_after=1))
    stream = deployment.send(owner, "Hello", model="gpt-5.5")
    fake.wait_for("held")
    form = {"text": "Hello?", "model": "demo-fast"}
    with owner.socket() as socket:
        socket.send(f'{{"type": "follow", "stream": "{stream}", "after": -1}}')
        until(lambda: "Before" in socket.recv(timeout=10))
        postgres_server.stop(signal.SIGINT)
        try:
            for path in ("/", "/settings/", "/accounts/login/", "/no/such/page"):
                assert owner.get(path).status_code in (503, 404)
            refused = owner.post("/c/", form, expect=503, headers={"HX-Request": "true"})
            assert refused.headers["Retry-After"]
            assert owner.get("/healthz").status_code == 200
            with owner.socket() as newcomer:
                assert read_close_code(newcomer) == 4011
            fake.release()  # text that arrives now can't be written yet
            time.sleep(OUTAGE_SECONDS)
        finally:
            postgres_server.start()
        until(lambda: owner.get("/").status_code == 200)
        until(lambda: deployment.rows.stream(stream)["state"] == "completed")
        until(lambda: '"end"' in socket.recv(timeout=10))
    assert deployment.rows.message(stream)["content"] == "Before, and after."
    for program in deployment.programs:
        until(lambda program=program: "is back after" in program.output())  # type: ignore[misc]
        log = program.output()
        assert [log.count("database is away"), log.count("is back after")] == [1, 1], log
        assert "Traceback" not in log, log
        warnings = [line for line in log.splitlines() if " WARNING " in line]
        assert len([line for line in warnings if "accounts.setup" not in line]) == 2, log


def read_close_code(socket: ClientConnection) -> int | None:
    try:
        socket.recv(timeout=10)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None
    return None
