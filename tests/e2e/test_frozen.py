"""A worker that is frozen past its lease is replaced and blocks no other worker. When it continues,
the database refuses its writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.e2e.conftest import StartDeployment
from tests.e2e.replies import MODEL, find_runner
from tools.deployment.deployment import Deployment
from tools.fake_provider import Behaviour, Fake
from tools.services.program import Program
from tools.waiting import until

TAKEOVER_SECONDS = 20.0  # seconds from freezing to an owner or an ending

QUESTION = "Why is the tide late?"
BEFORE = "High tide comes hours after the moon, "
AFTER = "because the ocean cannot follow it."


def test_writes_of_a_thawed_worker_are_refused(
    start_deployment: StartDeployment, fake: Fake
) -> None:
    late = [f"{n} words too late, " for n in range(200)]
    fake.script(Behaviour.of(BEFORE, *late, hold_after=(1, 150)), Behaviour.of(AFTER))
    deployment, stream, frozen = start_reply_on_stack(start_deployment, fake)
    frozen.pause()
    fake.release()
    rows = wait_for_takeover(deployment, stream)
    frozen.resume()
    fake.wait_for("closed")  # it has continued, was refused, and has closed its provider call
    assert completes_a_reply(deployment, frozen)
    assert read_rows(deployment, stream) == rows
    assert len(fake.requests()) == 2


def test_a_worker_frozen_during_its_commit_blocks_no_other_worker(
    start_deployment: StartDeployment, fake: Fake
) -> None:
    fake.script(Behaviour.of(BEFORE, hold_after=1), Behaviour.of(AFTER))
    deployment, stream, frozen = start_reply_on_stack(start_deployment, fake)
    conversation = deployment.rows.message(stream)["conversation_id"]
    with lock_row(deployment, "chat_conversation", conversation):
        fake.release()
        until(lambda: is_waiting_for_lock(deployment), what="the ending waits in its transaction")
        frozen.pause()
    rows = wait_for_takeover(deployment, stream)
    frozen.resume()
    assert completes_a_reply(deployment, frozen)
    assert read_rows(deployment, stream) == rows


def start_reply_on_stack(
    start_deployment: StartDeployment, fake: Fake
) -> tuple[Deployment, str, Program]:
    """Return a stream in the middle of its reply, and the one of two workers that runs it."""
    deployment = start_deployment("stack", workers=2)
    owner = deployment.person("owner")
    owner.add_key("openai")
    stream = str(deployment.send(owner, QUESTION, model=MODEL))
    until(lambda: deployment.rows.text(stream) == BEFORE)
    return deployment, stream, find_runner(deployment, stream)


def wait_for_takeover(deployment: Deployment, stream: str) -> dict[str, Any]:
    """Wait until the other worker has ended the reply, and return its rows."""
    until(lambda: deployment.rows.stream(stream)["epoch"] == 2, within=TAKEOVER_SECONDS)
    until(lambda: deployment.rows.stream(stream)["state"] == "completed", within=TAKEOVER_SECONDS)
    assert deployment.rows.message(stream)["content"] == BEFORE + AFTER
    return read_rows(deployment, stream)


def read_rows(deployment: Deployment, stream: str) -> dict[str, Any]:
    rows = deployment.rows
    return {
        "stream": rows.stream(stream),
        "chunks": rows.chunks(stream),
        "message": rows.message(stream),
    }


def completes_a_reply(deployment: Deployment, program: Program) -> bool:
    """Return whether the program alone runs another reply. By then it has finished its old work."""
    for other in deployment.workers:
        if other is not program:
            other.pause()
    stream = str(deployment.send(deployment.person("owner"), "Once more.", model="demo-fast"))
    until(lambda: deployment.rows.text(stream), within=TAKEOVER_SECONDS)
    return find_runner(deployment, stream) is program


@contextmanager
def lock_row(deployment: Deployment, table: str, row: Any) -> Iterator[None]:
    """Lock a row, so that no other transaction can write it meanwhile."""
    url = deployment.environment["DATABASE_URL"]
    with psycopg.connect(url, row_factory=dict_row) as connection:
        connection.execute(f'SELECT 1 FROM "{table}" WHERE id = %s FOR UPDATE', [row])
        yield


def is_waiting_for_lock(deployment: Deployment) -> bool:
    return bool(
        deployment.rows.query("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    )
