"""A database of an older version whose processes were killed: after the migrations all data is as
before, the running replies continue, and the queued one is answered."""

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

from accounts.providers import describe_address
from tests.upgrades.fill import (
    ADDED_LABEL,
    ADDED_MODEL,
    DRAFT_TEXT,
    REPLY_SETTINGS,
    TEXT_BEFORE,
    TITLE_PROMPT,
    describe_page,
)
from tests.upgrades.odd_rows import (
    LONGEST_LISTED_NAME,
    OVERRIDES,
    SERVER_HEADER,
    OddChat,
    add_odd_rows,
    build_servers,
    to_json_text,
)
from tools.deployment.deployment import Deployment, Kind, bare_environment, manage
from tools.deployment.http_user import Person
from tools.deployment.raw_rows import PostgresRows, Row, Rows, SqliteRows
from tools.fake_provider import Behaviour, Fake
from tools.fake_provider.behaviour import Record
from tools.services import Postgres, redis
from tools.waiting import until

FOLDER = Path(__file__).resolve().parent
OLDEST = "28df4d5"
"""The version with the longest way to today's. `make prove` begins with the later ones too."""
VERSIONS = [
    pytest.param(file.stem, marks=[] if file.stem == OLDEST else pytest.mark.prove)
    for file in sorted(FOLDER.glob("*.json"))
]
DELETE_CODE = """
from chat.conversations import delete
from chat.models import Conversation
for conversation in Conversation.objects.all():
    delete(conversation)
"""
TEXT_AFTER = "because the ocean cannot follow it."
QUEUED_ANSWER, TITLE, OTHER_MODEL = "Then it is high.", "The late tide", "gpt-6.2-sol"
ODD_ANSWER = "Odd indeed."


class UpgradedDeployment(Deployment):
    """A deployment that begins with the database of an older version, migrated to today's."""

    def __init__(self, kind: Kind, version: str, fake: Fake, server: Postgres) -> None:
        file = json.loads((FOLDER / f"{version}.json").read_text())
        self.version, self.file, self.sample = version, file, file[kind]
        self.before: dict[str, list[Row]] = {}
        self.odd_chats: dict[str, OddChat] = {}
        self._openai = fake.openai
        environment = {
            **file["secrets"],
            "ALLOW_SAMPLE_SECRETS": "1",
            "OPENAI_BASE_URL": fake.openai,
            "COMPATIBLE_PROVIDERS": build_servers(fake.openai),
            "GENERATE_TITLES": "on",
        }
        super().__init__(kind, environment=environment, database_server=server)

    def _embedded(self) -> dict[str, str]:
        file = self.folder / "holdfast.sqlite3"
        with closing(sqlite3.connect(file)) as database:
            database.executescript((FOLDER / f"{self.version}.sqlite.sql").read_text())
            for statement in self._list_repairs("'2100-01-01 00:00:00'"):
                database.execute(statement)
            database.commit()
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
            database.execute((FOLDER / f"{self.version}.postgresql.sql").read_bytes())
            database.execute("SELECT set_config('search_path', 'public', false)")
            for statement in self._list_repairs("'2100-01-01 00:00:00+00'"):
                database.execute(statement.encode())
            # A migration that was interrupted while it built the index leaves such a one.
            database.execute(
                "CREATE INDEX IF NOT EXISTS stream_turns ON public.streaming_stream (state)"
            )
        self.rows = PostgresRows(url)
        self._migrate(url)
        self.redis = self._open.enter_context(redis())
        return {"DATABASE_URL": url, "REDIS_URL": self.redis.url, "EMBEDDED_WORKER": "off"}

    def _list_repairs(self, later: str) -> list[str]:
        """The sample is older than a session lives, and its provider had another port."""
        return [
            f"UPDATE django_session SET expire_date = {later}",
            f"UPDATE chat_refusedparameter SET endpoint = 'openai {self._openai}'",
        ]

    def _migrate(self, url: str) -> None:
        self.odd_chats = add_odd_rows(self.rows, self.sample["unfinished"]["queued"])
        self.before = self.read_tables()
        servers = {"COMPATIBLE_PROVIDERS": build_servers(self._openai)}
        manage(bare_environment(url) | servers, "migrate", "--verbosity", "0")
        refused = [hide_address(row) for row in self.before["chat_refusedparameter"]]
        assert self.read_tables() == self.before | {"chat_refusedparameter": refused}

    def read_tables(self) -> dict[str, list[Row]]:
        """Everything that people have, by the columns of the older version. Its processes use them
        until they are replaced."""
        return {table: self._read_table(table, order) for table, order in TABLES.items()}

    def _read_table(self, table: str, order: str) -> list[Row]:
        known = self.before.get(table, [])
        columns = ", ".join(f'"{name}"' for name in known[0]) if known else "*"
        return self.rows.query(f"SELECT {columns} FROM {table} ORDER BY {order}")

    def person(self, name: str = "owner") -> Person:
        """Return a person with the session of the older version."""
        if name not in self._people:
            person = Person(self.base_url, name)
            person.http.cookies.set("sessionid", self.sample["sessions"][name])
            self._people[name] = person
        return self._people[name]


def hide_address(row: Row) -> Row:
    """Rows name the host of a server and no longer its whole address, which may hold a password."""
    provider, _, address = row["endpoint"].partition(" ")
    return row | {"endpoint": f"{provider} {describe_address(address)}" if address else provider}


TABLES = {
    "chat_conversation": "id",
    "chat_message": "id",
    "chat_modeloverride": "id",
    "chat_refusedparameter": "id",
    "accounts_user": "id",
    "accounts_apikey": "id",
    "accounts_listedmodel": "id",
    "streaming_stream": "id",
    "streaming_streamchunk": 'stream_id, "index"',
    "django_session": "session_key",
}


@pytest.fixture(params=["embedded", "stack"])
def upgraded(
    request: pytest.FixtureRequest, version: str, provider: Fake, postgres_server: Postgres
) -> Iterator[UpgradedDeployment]:
    provider.reset()
    provider.script(
        Behaviour.of(TITLE, prompt=TITLE_PROMPT),
        Behaviour.of(QUEUED_ANSWER, prompt="And then?"),
        Behaviour.of(ODD_ANSWER, prompt="Odd: ", times=None),
        Behaviour.of("the moon has passed overhead, ", TEXT_AFTER, prompt="was cut off", times=2),
    )
    with UpgradedDeployment(request.param, version, provider, postgres_server) as deployment:
        yield deployment


@pytest.mark.parametrize("version", VERSIONS)
def test_an_older_database_reads_as_before_and_its_replies_go_on(
    upgraded: UpgradedDeployment, provider: Fake
) -> None:
    owner = upgraded.person("owner")
    assert_replies_continued(upgraded, provider)
    assert_odd_chats_went_on(owner, upgraded, provider)
    assert_pages_show(owner, upgraded)
    assert_models_are_offered(owner, upgraded, provider)
    assert_draft_is_there(upgraded)
    owner.sign_in()
    assert "…cdef" in owner.get("/settings/keys/").text
    upgraded.manage("shell", "-c", DELETE_CODE)
    assert not upgraded.rows.of("chat_message")
    assert not upgraded.rows.of("streaming_stream")


def assert_replies_continued(upgraded: UpgradedDeployment, provider: Fake) -> None:
    """Each unfinished stream continues to its end, and no text is lost or doubled."""
    rows, unfinished = upgraded.rows, upgraded.sample["unfinished"]
    for stream in unfinished.values():
        wait_until_completed(rows, stream)
    for name in ("running", "stored"):
        assert rows.message(unfinished[name])["content"] == TEXT_BEFORE + TEXT_AFTER
        assert json.loads(to_json_text(rows.message(unfinished[name])["seams"])) == [
            len(TEXT_BEFORE)
        ]
    assert rows.message(unfinished["queued"])["content"] == QUEUED_ANSWER
    assert rows.text(unfinished["title"]) == TITLE
    requests = [r for r in provider.requests() if SERVER_HEADER not in r.headers]
    assert {request.key for request in requests} == {hash_key(upgraded.file["key"])}
    assert [request.body.get("background") for request in requests].count(True) == 1
    assert_settings_are_sent(next(r for r in requests if r.prompt == "And then?"))


def wait_until_completed(rows: Rows, stream: str) -> None:
    assert wait_until_ended(rows, stream) == "completed"


def wait_until_ended(rows: Rows, stream: str) -> str:
    """Return the state."""
    until(lambda: rows.stream(stream)["ended_at"], within=40, what="an older reply has ended")
    return str(rows.stream(stream)["state"])


def assert_odd_chats_went_on(owner: Person, upgraded: UpgradedDeployment, provider: Fake) -> None:
    """Each queued reply is written by the server that its message names, or fails."""
    rows = upgraded.rows
    for stream, chat in upgraded.odd_chats.items():
        assert wait_until_ended(rows, stream) == ("completed" if chat.server else "failed"), chat
        conversation = rows.one("chat_conversation", id=UUID(rows.stream(stream)["lane"]))
        assert conversation["provider"] == chat.migrated, chat
        assert rows.message(stream)["content"] == (ODD_ANSWER if chat.server else ""), chat
        assert chat.question in owner.get(f"/c/{UUID(str(conversation['id']))}/").text
    asked = {r.prompt: r.headers.get(SERVER_HEADER) for r in provider.requests()}
    expected = {c.question: c.server for c in upgraded.odd_chats.values() if c.server}
    assert {prompt: asked.get(prompt) for prompt in expected} == expected
    overrides = {(r["provider"], r["model_id"]): r["label"] for r in rows.of("chat_modeloverride")}
    assert overrides.items() >= OVERRIDES.items()


def assert_settings_are_sent(request: Record) -> None:
    """The request has the settings that the older version stored in the queued stream."""
    body = request.body
    assert body["max_output_tokens"] == int(REPLY_SETTINGS["max_tokens"])
    assert body["reasoning"]["effort"] == REPLY_SETTINGS["reasoning_effort"]
    assert REPLY_SETTINGS["system_prompt"] in body["instructions"]


def hash_key(key: str) -> str:
    """The form in which the fake provider records a key."""
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def assert_pages_show(owner: Person, upgraded: UpgradedDeployment) -> None:
    """Every message is on its branch, and conversations have their titles."""
    texts = {str(UUID(str(row["id"]))): row for row in upgraded.before["chat_message"]}
    for last, before in upgraded.sample["pages"].items():
        page = owner.get(f"/m/{last}/place/").text
        assert before["messages"][-1] == last
        assert describe_page(page) == before
        for id in before["messages"]:
            assert find_plain_words(texts[id]["content"]) in page
            assert find_plain_words(texts[id]["reasoning"]) in page
    listed = owner.get("/").text
    for row in upgraded.rows.query(
        "SELECT c.title, c.deleted_at FROM chat_conversation c "
        "JOIN accounts_user u ON u.id = c.user_id WHERE u.email = %s",
        owner.email,
    ):
        assert (row["title"] in listed) == (row["deleted_at"] is None)
    deleted = upgraded.sample["conversations"]["deleted"]
    assert owner.get(f"/c/{deleted}/").status_code == 404


def find_plain_words(text: str) -> str:
    """Return words of a text that a page shows unchanged."""
    words = re.findall(r"[A-Za-z ]{12,}", text)
    return words[0].strip() if words else ""


def assert_models_are_offered(owner: Person, upgraded: UpgradedDeployment, provider: Fake) -> None:
    """The models of the key and of the administrator are offered, without refused parameters."""
    page = owner.get("/").text
    assert ADDED_LABEL in page
    for model in (ADDED_MODEL, OTHER_MODEL, LONGEST_LISTED_NAME):
        assert f'value="{model}"' in page
    provider.script(Behaviour.of("Sober."))
    stream = upgraded.send(owner, "Once more.", model=ADDED_MODEL, temperature="0.3")
    until(lambda: upgraded.rows.stream(stream)["ended_at"], what="the reply of the added model")
    (request,) = (r for r in provider.requests() if r.prompt == "Once more.")
    assert "temperature" not in request.body


def assert_draft_is_there(upgraded: UpgradedDeployment) -> None:
    """The text that a visitor typed is in the composer once the visitor has signed in."""
    visitor = upgraded.person("visitor")
    form = {"login": "colleague@holdfast.test", "password": upgraded.file["password"]}
    visitor.post("/accounts/login/", form)
    assert DRAFT_TEXT in visitor.get("/").text
