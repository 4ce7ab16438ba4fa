"""Deletion of a large account on a real deployment, through a kill -9, while others write."""

from __future__ import annotations

import time
from threading import Event, Thread
from uuid import UUID

import pytest

from tests.e2e.conftest import StartDeployment
from tools.deployment.deployment import Deployment, Kind
from tools.deployment.http_user import Person
from tools.fake_provider import Behaviour, Fake
from tools.waiting import until

CANARY = "quagga-7f31"
MESSAGES, CHUNKS_PER_REPLY = 10_000, 40
FILL_CODE = f"""
import uuid
from datetime import timedelta
from django.utils import timezone
from accounts.models import User
from chat.models import Conversation, Message
from streaming.models import Stream, StreamChunk, State
user = User.objects.get(email="owner@holdfast.test")
chat = Conversation.objects.create(user=user, title="{CANARY} title")
now, parent = timezone.now(), None
before = now - timedelta(hours=1)  # so they do not count as sent in this minute
messages = []
for number in range({MESSAGES}):
    role = ("user", "assistant")[number % 2]
    parent = Message(conversation=chat, role=role, content="{CANARY} text", parent=parent)
    messages.append(parent)
streams = Stream.objects.bulk_create([
    Stream(owner=user, request_id=uuid.uuid4(), source="chat", lane=str(chat.pk),
           created_at=before, ended_at=now, state=State.COMPLETED,
           next_index={CHUNKS_PER_REPLY}, arguments={{"message": str(m.pk)}})
    for m in messages[1::2]
], batch_size=1000)
for message, stream in zip(messages[1::2], streams):
    message.stream = stream
Message.objects.bulk_create(messages, batch_size=1000)
chunks = (
    StreamChunk(stream_id=stream.pk, index=index, offset=0, kind=0, delta="{CANARY} ")
    for stream in streams for index in range({CHUNKS_PER_REPLY})
)
StreamChunk.objects.bulk_create(chunks, batch_size=5000)
"""


class WriteProbe:
    """Another person who renames a chat all the time; `slowest` is the longest that took."""

    def __init__(self, deployment: Deployment, person: Person) -> None:
        deployment.send(person, "Hello")
        chat = deployment.rows.query("SELECT id FROM chat_conversation WHERE title = 'Hello'")[0]
        self._path = f"/c/{UUID(str(chat['id']))}/title/"
        self._person, self._over = person, Event()
        self.slowest, self.count = 0.0, 0
        self._thread = Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self) -> None:
        while not self._over.wait(0.05):
            began = time.monotonic()
            try:
                self._person.post(self._path, {"title": f"Hello {self.count}"}, expect=200)
            except Exception:
                if self._over.is_set():
                    return
                continue  # the web process was killed
            self.count += 1
            self.slowest = max(self.slowest, time.monotonic() - began)

    def stop(self) -> None:
        self._over.set()
        self._thread.join(30)


@pytest.mark.prove
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["embedded", "stack"])
def test_a_large_account_is_deleted_through_a_kill_while_others_write(
    start_deployment: StartDeployment, fake: Fake, kind: Kind
) -> None:
    fake.script(Behaviour.of(f"{CANARY} so far ", "and never this.", hold_after=1, times=3))
    deployment = start_deployment(kind)
    deployment.person("administrator")
    owner, colleague = deployment.person("owner"), deployment.person("colleague")
    rows = deployment.rows
    owner_id = rows.one("accounts_user", email=owner.email)["id"]
    deployment.manage("shell", "-c", FILL_CODE)
    owner.add_key("openai")
    for number in range(3):
        deployment.send(owner, f"{CANARY} running {number}", model="gpt-6.2-sol")
    until(lambda: count(deployment, "streaming_stream", "first_chunk_at IS NOT NULL") >= 3)
    owner.post("/accounts/reauthenticate/", {"password": owner.password})
    probe = WriteProbe(deployment, colleague)
    began = time.monotonic()
    page = owner.post("/settings/data/deletion/", {"email": owner.email})
    assert "Your account is being deleted" in page.text
    answered = time.monotonic() - began

    total = MESSAGES // 2 * CHUNKS_PER_REPLY
    condition = f"delta LIKE '%%{CANARY}%%'"
    until(lambda: 0 < count(deployment, "streaming_streamchunk", condition) < total, within=300)
    deployment.runner.kill()
    left = count(deployment, "streaming_streamchunk", condition)
    deployment.runner.start()
    until(lambda: not rows.of("accounts_user", id=owner_id), within=240)
    seconds = time.monotonic() - began
    probe.stop()

    for table in ("chat_message", "chat_conversation", "streaming_stream", "accounts_apikey"):
        assert not [row for row in rows.of(table) if CANARY in str(row)], table
    assert count(deployment, "streaming_streamchunk", condition) == 0
    assert not [row for row in rows.of("streaming_stream") if row["owner_id"] == owner_id]
    print(
        f"\n{kind}: answered in {answered:.2f} s, killed with {left} of {total} chunks left, "
        f"deleted after {seconds:.0f} s; {probe.count} writes of another person, the slowest "
        f"took {probe.slowest:.2f} s"
    )
    assert probe.count > 10


def count(deployment: Deployment, table: str, condition: str) -> int:
    query = f"SELECT count(*) AS n FROM {table} WHERE {condition}"
    return int(deployment.rows.query(query)[0]["n"])
