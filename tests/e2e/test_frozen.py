"""A worker that is frozen past its lease is replaced and blocks no other worker. When it continues,
the database refuses its writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.e2e.conftest import Deploy
from tests.e2e.replies import MODEL, find_runner
from tools.deployment.deployment import Deployment
from tools.fake_provider import Behaviour, Fake
from tools.services.program import Program
from tools.waiting import until

AN_OWNER = 20.0  # seconds from freezing to an owner or an ending

QUESTION = "Why is the tide late?"
BEFORE = "High tide comes hours after the moon, "
AFTER = "because the ocean cannot follow it."


def test_writes_of_a_thawed_worker_are_refused(deploy: Deploy, fake: Fake) -> None:
    late = [f"{n} words too late, " for n in range(200)]
    fake.script(Behaviour.of(BEFORE, *late, hold_after=(1, 150)), Behaviour.of(AFTER))
    deployment, stream, frozen = replying(deploy, fake)
    frozen.pause()
    fake.release()
    kept = carried_on(deployment, stream)
    frozen.resume()
    fake.wait_for("closed")  # it has continued, was refused, and has closed its provider call
    assert goes_on_working(deployment, frozen)
    assert rows_of(deployment, stream) == kept
    assert len(fake.requests()) == 2


def test_a_worker_frozen_during_its_commit_blocks_no_other_worker(
    deploy: Deploy, fake: Fake
) -> None:
    fake.script(Behaviour.of(BEFORE, hold_after=1), Behaviour.of(AFTER))
    deployment, stream, frozen = replying(deploy, fake)
    conversation = deployment.rows.message(stream)["conversation_id"]
    with held(deployment, "chat_conversation", conversation):
        fake.release()
        until(lambda: waiting_for_a_lock(deployment), what="the ending waits in its transaction")
        frozen.pause()
    kept = carried_on(deployment, stream)
    frozen.resume()
    assert goes_on_working(deployment, frozen)
    assert rows_of(deployment, stream) == kept


def replying(deploy: Deploy, fake: Fake) -> tuple[Deployment, str, Program]:
    """Return a stream in the middle of its reply, and the one of two workers that runs it."""
    deployment = deploy("stack", workers=2)
    owner = deployment.person("owner")
    owner.add_key("openai")
    stream = str(deployment.send(owner, QUESTION, model=MODEL))
    until(lambda: deployment.rows.text(stream) == BEFORE)
    return deployment, stream, find_runner(deployment, stream)


def carried_on(deployment: Deployment, stream: str) -> dict[str, Any]:
    """Return the stored text once the other worker has ended the reply."""
    until(lambda: deployment.rows.stream(stream)["epoch"] == 2, within=AN_OWNER)
    until(lambda: deployment.rows.stream(stream)["state"] == "completed", within=AN_OWNER)
    assert deployment.rows.message(stream)["content"] == BEFORE + AFTER
    return rows_of(deployment, stream)


def rows_of(deployment: Deployment, stream: str) -> dict[str, Any]:
    rows = deployment.rows
    return {
        "stream": rows.stream(stream),
        "chunks": rows.chunks(stream),
        "message": rows.message(stream),
    }


def goes_on_working(deployment: Deployment, woken: Program) -> bool:
    """Return whether it runs another reply alone: by then it has finished its old work."""
    for other in deployment.workers:
        if other is not woken:
            other.pause()
    stream = str(deployment.send(deployment.person("owner"), "Once more.", model="demo-fast"))
    until(lambda: deployment.rows.text(stream), within=AN_OWNER)
    return find_runner(deployment, stream) is woken


@contextmanager
def held(deployment: Deployment, table: str, row: Any) -> Iterator[None]:
    """Lock a row, so that no other transaction can write it meanwhile."""
    url = deployment.environment["DATABASE_URL"]
    with psycopg.connect(url, row_factory=dict_row) as connection:
        connection.execute(f'SELECT 1 FROM "{table}" WHERE id = %s FOR UPDATE', [row])
        yield


def waiting_for_a_lock(deployment: Deployment) -> bool:
    return bool(
        deployment.rows.query("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    )
