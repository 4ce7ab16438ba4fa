"""Record the messages between processes of an older commit, and the text that they wrote.

    python -m tests.upgrades.record_messages 41594f4

The file `messages/41594f4.json` holds every message with its channel, as Redis carried it: sealed
with the secret in the same file. tests/streaming/test_other_versions.py gives them to today's code.
"""

from __future__ import annotations

import base64
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from redis import Redis as Client

from tests.e2e.replies import MODEL
from tests.upgrades.checkout import OlderDeployment, checkout
from tools.deployment.deployment import Deployment
from tools.fake_provider import Behaviour, Fake
from tools.fake_provider.behaviour import Piece
from tools.services.postgresql import postgres
from tools.waiting import until

FOLDER = Path(__file__).resolve().parent / "messages"
SAMPLE_SECRET = "a-sample-of-the-tests-of-messages-and-of-nothing-else"
STREAM_COLUMNS = ("id", "state", "epoch", "next_index", "finish_reason", "error_class", "error")
CHUNK_COLUMNS = ("index", "kind", "delta", "offset")

Message = dict[str, str]


def main(commit: str) -> None:
    with checkout(commit) as root, Fake.spawn() as fake, postgres() as server:
        environment = {
            "SECRET_KEY": SAMPLE_SECRET,
            "OPENAI_BASE_URL": fake.openai,
            "DRAIN_SECONDS": "0",
        }
        with OlderDeployment(
            "stack", root, environment=environment, database_server=server
        ) as deployment:
            assert deployment.redis
            with record_all(deployment.redis.url) as messages:
                streams = use_deployment(deployment, fake, messages)
            record = {
                "version": commit,
                "secret": SAMPLE_SECRET,
                "recorded_ns": time.time_ns(),
                "messages": messages,
                "streams": {
                    name: describe_stream(deployment, uuid) for name, uuid in streams.items()
                },
            }
    FOLDER.mkdir(exist_ok=True)
    file = FOLDER / f"{commit}.json"
    file.write_text(json.dumps(record, ensure_ascii=False, indent=1, sort_keys=True) + "\n")


@contextmanager
def record_all(url: str) -> Iterator[list[Message]]:
    """Yield a list that receives all messages of this Redis, in their order."""
    messages: list[Message] = []
    with Client.from_url(url) as client, client.pubsub(ignore_subscribe_messages=True) as channels:
        channels.psubscribe("*")
        is_over = threading.Event()

        def listen() -> None:
            while not is_over.is_set():
                if message := channels.get_message(timeout=0.05):
                    data = base64.b64encode(message["data"]).decode()
                    messages.append({"channel": message["channel"].decode(), "data": data})

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield messages
            time.sleep(0.5)  # for messages that arrive late
        finally:
            is_over.set()
            thread.join()


def use_deployment(deployment: Deployment, fake: Fake, messages: list[Message]) -> dict[str, UUID]:
    """A reply with reasoning that one worker passes on to the next, one that waits behind it, one
    that is stopped, a new title, and the end of a session."""
    reasoning = [Piece(f"Thought {n}. ", "reasoning") for n in range(3)]
    words = [Piece(f"word {n} \N{WATER WAVE} ") for n in range(6)]
    fake.script(
        Behaviour(pieces=(*reasoning, *words), delay=0.12, hold_after=(9,), prompt="All"),
        Behaviour.of("word 5 \N{WATER WAVE} ", "and ", "more", delay=0.12, prompt="was cut off"),
        Behaviour.of("Stop me.", "Never this.", hold_after=(1,), prompt="Stop"),
        Behaviour.of("The end.", prompt="And then?"),
    )
    owner, rows = deployment.person("owner"), deployment.rows
    owner.add_key("openai")
    passed_on = deployment.send(owner, "All of it.", model=MODEL)
    lane = rows.stream(passed_on)["lane"]
    queued = deployment.send(owner, "And then?", model=MODEL, conversation=lane)
    fake.wait_for("held")
    deployment.workers[0].stop(signal.SIGTERM)
    deployment.workers[0].start()
    until(lambda: rows.stream(queued)["ended_at"], what="both replies have ended")
    stopped = deployment.send(owner, "Stop soon.", model=MODEL)
    until(lambda: rows.text(stopped), what="its first words")
    owner.post(f"/s/{stopped}/stop/", {})
    owner.post(f"/c/{lane}/title/", {"title": "Another title"})
    count = len(messages)
    owner.post("/accounts/logout/", {})
    until(lambda: len(messages) > count, what="a message about the session")
    return {"passed on": passed_on, "queued": queued, "stopped": stopped}


def describe_stream(deployment: Deployment, uuid: UUID) -> dict[str, Any]:
    """The columns of a stream in the database, and those of its chunks."""
    row, chunks = deployment.rows.stream(uuid), deployment.rows.chunks(uuid)
    journal = [[chunk[column] for column in CHUNK_COLUMNS] for chunk in chunks]
    return {column: row[column] for column in STREAM_COLUMNS} | {"chunks": journal}


if __name__ == "__main__":
    main(sys.argv[1])
