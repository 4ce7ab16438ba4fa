"""A database of an older version, killed in the middle of its work: after the migrations everything
reads as before, the running reply goes on, and what was queued is answered."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

from streaming.providers.demo import prose
from tests.e2e.deployment import Deployment, Kind, bare_environment, manage
from tests.e2e.person import Person
from tests.e2e.rows import PostgresRows, Row, SqliteRows
from tests.fakes import Behaviour, Fake
from tests.services import Postgres, redis
from tests.upgrades.fill import BEFORE
from tests.waiting import until

HERE = Path(__file__).resolve().parent
VERSIONS = sorted(file.stem for file in HERE.glob("*.json"))
DELETE = """
from chat.conversations import delete
from chat.models import Conversation
for conversation in Conversation.objects.all():
    delete(conversation)
"""
AFTER = "because the ocean cannot follow it."


class Upgraded(Deployment):
    """A deployment that begins with the database of an older version, migrated to today's."""

    def __init__(self, kind: Kind, version: str, fake: Fake, server: Postgres) -> None:
        told = json.loads((HERE / f"{version}.json").read_text())
        self.version, self.told, self.sample = version, told, told[kind]
        self.before: list[Row] = []
        environment = {**told["secrets"], "OPENAI_BASE_URL": fake.openai}
        super().__init__(kind, environment=environment, database_server=server)

    def _embedded(self) -> dict[str, str]:
        file = self.folder / "holdfast.sqlite3"
        with closing(sqlite3.connect(file)) as database:
            database.executescript((HERE / f"{self.version}.sqlite.sql").read_text())
        self.rows = SqliteRows(file)
        url = f"sqlite:///{file}"
        self._migrate(url)
        return {"DATABASE_URL": url, "REDIS_URL": "", "EMBEDDED_WORKER": "on"}

    def _stack(self) -> dict[str, str]:
        assert self._database_server
        name = f"holdfast_{uuid4().hex}"
        url = self._database_server.create_database(name)
        self._open.callback(self._database_server.drop_database, name)
        with psycopg.connect(url, autocommit=True) as database:
            database.execute((HERE / f"{self.version}.postgresql.sql").read_bytes())
            # As a migration leaves it that was broken off while it built the index.
            database.execute("CREATE INDEX stream_turns ON public.streaming_stream (state)")
        self.rows = PostgresRows(url)
        self._migrate(url)
        self.redis = self._open.enter_context(redis())
        return {"DATABASE_URL": url, "REDIS_URL": self.redis.url, "EMBEDDED_WORKER": "off"}

    def _migrate(self, url: str) -> None:
        self.before = self.messages()
        manage(bare_environment(url), "migrate", "--verbosity", "0")
        assert self.messages() == self.before

    def messages(self) -> list[Row]:
        """What is in the conversations, by the columns of the older version."""
        columns = ", ".join(f'"{name}"' for name in self.before[0]) if self.before else "*"
        return self.rows.query(f"SELECT {columns} FROM chat_message ORDER BY id")

    def person(self, name: str = "owner") -> Person:
        if name not in self._people:
            person = Person(self.base_url, name)
            assert person.password == self.told["password"]
            person.sign_in()
            self._people[name] = person
        return self._people[name]


@pytest.fixture(scope="module")
def provider() -> Iterator[Fake]:
    with Fake.spawn() as provider:
        yield provider


@pytest.fixture(params=["embedded", "stack"])
def upgraded(
    request: pytest.FixtureRequest, version: str, provider: Fake, postgres_server: Postgres
) -> Iterator[Upgraded]:
    provider.reset()
    provider.script(Behaviour.of("the moon has passed overhead, ", AFTER))
    with Upgraded(request.param, version, provider, postgres_server) as deployment:
        yield deployment


@pytest.mark.parametrize("version", VERSIONS)
def test_an_older_database_reads_as_before_and_its_replies_go_on(
    upgraded: Upgraded, provider: Fake
) -> None:
    owner, rows = upgraded.person("owner"), upgraded.rows
    running, queued = upgraded.sample["running"], upgraded.sample["queued"]
    until(lambda: rows.stream(queued)["ended_at"], within=40, what="the queued reply has ended")
    assert [rows.stream(stream)["state"] for stream in (running, queued)] == ["completed"] * 2
    assert rows.message(running)["content"] == BEFORE + AFTER
    assert rows.message(queued)["content"] == prose.compose_reply("And then? Be brief.")
    assert provider.requests()[0].key == fingerprint(upgraded.told["key"]), "it was unsealed"
    assert_pages_show(owner, upgraded)
    assert "…cdef" in owner.get("/settings/keys/").text
    upgraded.manage("shell", "-c", DELETE)
    assert not rows.of("chat_message")
    assert not rows.of("streaming_stream")


def fingerprint(key: str) -> str:
    """What the fake remembers of a key."""
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def assert_pages_show(owner: Person, upgraded: Upgraded) -> None:
    """Every message that was there stands on its branch, in chats with the titles they had."""
    for message in upgraded.before:
        id = UUID(str(message["id"]))
        page = owner.get(f"/m/{id}/place/").text
        assert f'id="m-{id}"' in page
        words = re.findall(r"[A-Za-z ]{12,}", message["content"])
        assert not words or words[0].strip() in page
    listed = owner.get("/").text
    for row in upgraded.rows.of("chat_conversation"):
        assert row["title"] in listed
