"""Rows of odd models and providers, added to a database of this folder before it is migrated.

The older version knew a model by its name alone. Each chat is a copy of the one whose reply was
queued, with another model; keys, listed models and overrides are copies, too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from tools.deployment.raw_rows import Row, Rows

NAME_WITH_SIGNS, NAME_OF_A_ROUTER = "accounts/team/kelp:70b", "openai/gpt-4.1"
SERVER_HEADER = "x-server"


@dataclass(frozen=True)
class OddChat:
    """`model` is that of the conversation and of its queued stream, the others are those of the
    reply. `migrated` is the conversation's provider after the migration, `server` the one that is
    asked; it is empty if the reply fails."""

    question: str
    model: str
    reply_model: str
    reply_provider: str
    migrated: str
    server: str = ""


CHATS = (
    OddChat("Odd: the first server", "kelp", "kelp", "hosta", "hosta", "hosta"),
    OddChat("Odd: the second, same model", "kelp", "kelp", "hostb", "hostb", "hostb"),
    OddChat("Odd: signs", NAME_WITH_SIGNS, NAME_WITH_SIGNS, "hostb", "hostb", "hostb"),
    OddChat("Odd: a router", NAME_OF_A_ROUTER, NAME_OF_A_ROUTER, "hosta", "hosta", "hosta"),
    OddChat("Odd: a removed server", "wrack", "wrack", "gone", "gone"),
    OddChat("Odd: a reply of another model", "dulse", "kelp", "hostb", "hosta", "hosta"),
    OddChat("Odd: no provider", "kelp", "kelp", "", "hosta", "hosta"),
    OddChat("Odd: of nobody", "nothing", "nothing", "", ""),
)
OVERRIDES = {
    ("hosta", NAME_OF_A_ROUTER): "Routed",
    ("router", "openai/gpt-4o"): "Routed, and not configured",
    ("gone", "wrack"): "Wrack",
    ("", "rock"): "Rock",
}
"""Labels. No migration changes these rows."""
LONGEST_LISTED_NAME = "accounts/fireworks/models/" + "x" * 74
"""Both the key of OpenAI and that of a removed provider list it."""


def build_servers(url: str) -> str:
    """Two servers with a common model, as `COMPATIBLE_PROVIDERS`."""
    names = {
        "hosta": ["kelp", "dulse", NAME_OF_A_ROUTER],
        "hostb": ["kelp", NAME_WITH_SIGNS],
    }
    servers = [
        {
            "id": id,
            "url": url,
            "needs_key": False,
            "models": models,
            "headers": {SERVER_HEADER: id},
        }
        for id, models in names.items()
    ]
    return json.dumps(servers)


def add_odd_rows(rows: Rows, queued: str) -> dict[str, OddChat]:
    """`queued` is the stream of a reply. Return the chats by the ids of their streams."""
    add_odd_models(rows)
    stream, answer = rows.stream(queued), rows.message(queued)
    question = rows.one("chat_message", id=to_uuid(answer["parent_id"]))
    conversation = rows.one("chat_conversation", id=to_uuid(answer["conversation_id"]))
    return {
        str(copy_chat(rows, chat, conversation, question, answer, stream)): chat for chat in CHATS
    }


def add_odd_models(rows: Rows) -> None:
    key, listed = rows.of("accounts_apikey")[0], rows.of("accounts_listedmodel")[0]
    removed = insert(rows, "accounts_apikey", without_id(key) | {"provider": "gone"})
    for key_id in (key["id"], removed["id"]):
        changed = {"key_id": key_id, "model_id": LONGEST_LISTED_NAME}
        insert(rows, "accounts_listedmodel", without_id(listed) | changed)
    override = without_id(rows.of("chat_modeloverride")[0])
    for (provider, model), label in OVERRIDES.items():
        changed = {"model_id": model, "provider": provider, "label": label}
        insert(rows, "chat_modeloverride", override | changed)


def copy_chat(
    rows: Rows, chat: OddChat, conversation: Row, question: Row, answer: Row, stream: Row
) -> UUID:
    ids = [uuid4() for _ in range(4)]
    conversation_id, question_id, answer_id, uuid = ids
    (leaf,) = (name for name in conversation if name.endswith("leaf_id"))
    head = {"id": conversation_id, "model": chat.model, "title": chat.question, leaf: None}
    insert(rows, "chat_conversation", conversation | head)
    into = {"conversation_id": conversation_id}
    asked = {"id": question_id, "content": chat.question, "parent_id": None}
    insert(rows, "chat_message", question | into | asked)
    arguments = json.loads(to_json_text(stream["arguments"]))
    arguments |= {"message": str(answer_id), "model": chat.model}
    names = {"uuid": uuid, "request_id": uuid4(), "lane": str(conversation_id), "note": ""}
    queued = without_id(stream) | names | {"arguments": arguments}
    inserted = insert(rows, "streaming_stream", queued)
    written = {"id": answer_id, "parent_id": question_id, "stream_id": inserted["id"]}
    names = {"model": chat.reply_model, "provider": chat.reply_provider}
    insert(rows, "chat_message", answer | into | written | names)
    statement = f'UPDATE chat_conversation SET "{leaf}" = %s WHERE id = %s RETURNING id'
    rows.query(statement, answer_id, conversation_id)
    return uuid


def insert(rows: Rows, table: str, row: Row) -> Row:
    columns = ", ".join(f'"{name}"' for name in row)
    values = [to_json_text(v) if isinstance(v, dict | list) else v for v in row.values()]
    places = ", ".join(["%s"] * len(values))
    statement = f'INSERT INTO "{table}" ({columns}) VALUES ({places}) RETURNING id'
    (inserted,) = rows.query(statement, *values)
    return inserted


def without_id(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "id"}


def to_json_text(value: Any) -> str:
    """A column of JSON, which SQLite gives as text."""
    return value if isinstance(value, str) else json.dumps(value)


def to_uuid(value: Any) -> UUID:
    return UUID(str(value))
