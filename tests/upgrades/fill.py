"""Make the databases of this folder: a small installation, killed in the middle of its work.

Run it in a checkout of the version whose databases are wanted, with this file copied there:

    python -m tests.upgrades.fill 28df4d5

It writes `28df4d5.sqlite.sql`, `28df4d5.postgresql.sql` and `28df4d5.json`, which holds the keys of
the sample and what was in it. `test_upgrades.py` loads them, migrates and goes on.
"""

from __future__ import annotations

import base64
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.e2e.replies import MODEL
from tools.deployment.deployment import Deployment, Kind
from tools.deployment.http_user import PASSWORD, Person
from tools.fake_provider import Behaviour, ErrorAnswer, Fake
from tools.services.postgresql import find_binaries, postgres
from tools.waiting import until

HERE = Path(__file__).resolve().parent
KEY = "sk-upgrade-0123456789abcdef"
SECRETS = {
    "SECRET_KEY": "a-sample-of-the-upgrade-tests-and-of-nothing-else",
    "MASTER_KEYS": f"sample:{base64.b64encode(bytes(range(7, 39))).decode()}",
}
BEFORE = "High tide comes hours after the moon has passed overhead, "


def main(version: str) -> None:
    told = {"version": version, "secrets": SECRETS, "password": PASSWORD, "key": KEY}
    with Fake.spawn() as fake, postgres() as server:
        for kind in ("embedded", "stack"):
            environment = {**SECRETS, "OPENAI_BASE_URL": fake.openai, "FOLD_AFTER": "2"}
            fake.reset()
            with Deployment(kind, environment=environment, database_server=server) as deployment:
                told[kind] = fill(deployment, fake)
                write(kind, version, deployment)
    (HERE / f"{version}.json").write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")


def fill(deployment: Deployment, fake: Fake) -> dict[str, Any]:
    """Let two people use it, end every process by force, and say what was there."""
    owner = deployment.person("owner")
    deployment.person("colleague")
    owner.add_key("openai", KEY)
    branched = chat(deployment, owner, "Why do tides lag the moon? Be brief.")
    send_versions(deployment, owner, branched)
    folded = chat(deployment, owner, "Plan a quiet day. Be brief.")
    change(owner, branched, "pin", pinned="yes")
    change(owner, folded, "title", title="A quiet day")
    stop_one(deployment, owner)
    refuse_a_parameter(deployment, owner, fake)
    chunks = partial(deployment.rows.chunks, stream_of(deployment, folded))
    until(lambda: not chunks(), within=120, what="the reply is folded")
    fake.script(Behaviour.of(BEFORE, "and never this.", hold_after=(1,)))
    running = str(deployment.send(owner, "Why is the tide late?", model=MODEL))
    until(lambda: deployment.rows.text(running) == BEFORE, what="half of the reply is stored")
    lane = deployment.rows.stream(running)["lane"]
    queued = deployment.send(owner, "And then? Be brief.", conversation=lane, temperature="0.5")
    for program in deployment.programs:
        program.kill()
    return {"running": running, "queued": str(queued), "branched": branched, "folded": folded}


def chat(deployment: Deployment, owner: Person, text: str) -> str:
    """Ask in a new conversation, wait for the reply, and return the conversation's id."""
    stream = deployment.send(owner, text)
    until(lambda: deployment.rows.stream(stream)["state"] == "completed", what="a reply")
    return str(deployment.rows.stream(stream)["lane"])


def send_versions(deployment: Deployment, owner: Person, conversation: str) -> None:
    """Edit the question, and regenerate the reply."""
    page = owner.get(f"/c/{conversation}/").text
    question, answer = re.findall(r'<article class="message" id="m-([0-9a-f-]{36})"', page)[:2]
    for message, fields in (
        (question, {"text": "In other words: why? Be brief.", "model": "demo-fast"}),
        (answer, {"model": "demo-fast"}),
    ):
        owner.post(f"/m/{message}/versions/", {"request_id": str(uuid4()), **fields})
        until(lambda: not unfinished(deployment), what="the version is written")


def unfinished(deployment: Deployment) -> list[Any]:
    return deployment.rows.query(
        "SELECT id FROM streaming_stream WHERE state IN ('queued', 'running')"
    )


def change(owner: Person, conversation: str, verb: str, **form: str) -> None:
    owner.post(f"/c/{conversation}/{verb}/", form)


def stop_one(deployment: Deployment, owner: Person) -> None:
    stream = deployment.send(owner, "Tell me all of it.", model="demo")
    until(lambda: deployment.rows.text(stream), what="its first words")
    owner.post(f"/s/{stream}/stop/", {})


def refuse_a_parameter(deployment: Deployment, owner: Person, fake: Fake) -> None:
    """A model that takes no temperature, as the provider says, is remembered."""
    message = "Unsupported parameter: 'temperature' is not supported with this model."
    error = {"message": message, "param": "temperature", "code": "unsupported_parameter"}
    fake.script(
        Behaviour(error=ErrorAnswer(400, {"error": {"type": "invalid_request_error", **error}})),
        Behaviour.of("Without it."),
    )
    deployment.send(owner, "Be sober.", model="gpt-4.1", temperature="0.3")
    until(lambda: not unfinished(deployment), what="it is asked again")


def stream_of(deployment: Deployment, conversation: str) -> str:
    (row,) = deployment.rows.of("streaming_stream", lane=conversation)
    return str(row["uuid"])


def write(kind: Kind, version: str, deployment: Deployment) -> None:
    """Write the database down as SQL, a statement a line where that is possible."""
    url = deployment.environment["DATABASE_URL"]
    if kind == "embedded":
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
            text = "\n".join(database.iterdump())
    else:
        program = str(find_binaries() / "pg_dump")
        dump = [program, "--inserts", "--no-owner", "--no-privileges", url]
        done = subprocess.run(dump, capture_output=True, text=True, check=True)
        text = "\n".join(statements(done.stdout))
    name = {"embedded": "sqlite", "stack": "postgresql"}[kind]
    (HERE / f"{version}.{name}.sql").write_text(text.strip() + "\n")


def statements(dump: str) -> Iterator[str]:
    """Without comments, and without what only psql understands."""
    for line in dump.splitlines():
        if line and not line.startswith(("--", "\\")):
            yield line


if __name__ == "__main__":
    main(sys.argv[1])
