"""Secrets that pass through the doors of a deployment, and a search for them in everything that it
says and stores."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx2
import redis

from tools.deployment.deployment import Deployment
from tools.deployment.http_user import Person
from tools.fake_provider import Behaviour, ErrorAnswer, Fake

MODELS = {
    "openai": "gpt-5.5",
    "anthropic": "claude-sonnet-5-5",
    "google": "gemini-3.8-flash",
}
DAILY = (1, 7)
"""A text in small pieces, and a wrong key: neither is tried again."""
STATUSES = (400, 401, 402, 403, 404, 413, 422, 429, 500, 503, 529)


@dataclass(frozen=True)
class GuardedSecret:
    """`allowed` is a pattern for the names of places that may contain it."""

    name: str
    value: str
    allowed: str = r"\Z."

    def list_forms(self) -> set[str]:
        octets = self.value.encode()
        escaped = escape_all(self.value)
        return {
            self.value,
            quote(self.value, safe=""),
            octets.hex(),
            escaped,
            escaped.replace("\\", "\\\\"),  # inside other JSON
            # Without the last characters, which also hold bits of what follows.
            base64.b64encode(octets).decode()[:-4],
            base64.urlsafe_b64encode(octets).decode()[:-4],
        }


@dataclass
class Net:
    """The secrets, and the texts of all places to search."""

    secrets: list[GuardedSecret] = field(default_factory=list)
    places: list[tuple[str, str]] = field(default_factory=list)

    def guard(self, name: str, value: str, allowed: str = r"\Z.") -> str:
        self.secrets.append(GuardedSecret(name, value, allowed))
        return value

    def add(self, place: str, text: str) -> None:
        self.places.append((place, text))

    def add_answer(self, place: str, answer: httpx2.Response) -> None:
        headers = [pair for pair in answer.headers.items() if pair[0] != "set-cookie"]
        self.add(f"page {place}", f"{headers} {answer.text}")

    def find(self) -> list[str]:
        return sorted(
            {
                f"{secret.name} in {place}"
                for secret in self.secrets
                for place, text in self.places
                if not re.match(secret.allowed, place)
                if any(form in text for form in secret.list_forms())
            }
        )


def create_secret(prefix: str) -> str:
    return f"{prefix}-0a{secrets.token_hex(20)}"


def escape_all(text: str) -> str:
    """As JSON may spell it."""
    return "".join(f"\\u{ord(char):04x}" for char in text)


def list_echoes(key: str) -> Iterator[Behaviour]:
    """Replies and errors that contain the key in every form and at every place."""
    octets = key.encode()
    forms = (
        key,
        octets.hex(),
        base64.b64encode(octets).decode(),
        base64.b64encode(b"me:" + octets).decode(),
        quote(f"Bearer {key}"),
    )
    text = f"Your key: {' and '.join(forms)}."
    headers = {"x-request-id": key, "request-id": key, "x-echo": key}
    for size in (1, 7, 4000):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        yield Behaviour.of(*pieces, headers=headers)
    yield Behaviour.of(text, cut_after=1)
    yield Behaviour.of("Kelp.", finish=key)
    error: dict[str, Any] = {"message": text, "type": key, "code": key, "param": key, "status": key}
    yield Behaviour.of("Kelp.", error=ErrorAnswer(0, {"error": error}), error_after=1)
    for status in STATUSES:
        yield Behaviour(error=ErrorAnswer(status, {"error": error}, headers))
    yield Behaviour(error=ErrorAnswer(500, text, headers))
    yield Behaviour(error=ErrorAnswer(302, "", {"Location": f"https://kelp.example/?key={key}"}))


def read_rows(deployment: Deployment) -> Iterator[tuple[str, str]]:
    for table in list_tables(deployment):
        for row in deployment.rows.of(table):
            values = (bytes(v).hex() if isinstance(v, bytes) else str(v) for v in row.values())
            yield f"table {table}", " ".join(values)


def list_tables(deployment: Deployment) -> list[str]:
    if deployment.kind == "embedded":
        found = deployment.rows.query("SELECT name FROM sqlite_master WHERE type = 'table'")
    else:
        found = deployment.rows.query(
            "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'"
        )
    return [row["name"] for row in found]


def read_redis(deployment: Deployment) -> str:
    if deployment.redis is None:
        return ""
    with redis.Redis.from_url(deployment.redis.url) as client:
        return repr([(name, client.dump(name)) for name in client.scan_iter()])


def ask(net: Net, deployment: Deployment, person: Person, model: str) -> UUID:
    """Send a message, read its reply over a socket and over events, and the page."""
    stream = deployment.send(person, "What is my key?", model=model)
    with person.socket() as frames:
        frames.send(json.dumps({"type": "follow", "stream": str(stream), "after": -1}))
        with suppress(TimeoutError):
            while True:
                frame = frames.recv(timeout=20)
                net.add("frame", str(frame))
                if json.loads(frame)["type"] == "end":
                    break
    return stream


def read_pages(net: Net, person: Person, stream: UUID) -> None:
    net.add_answer("events", person.get(f"/api/streams/{stream}/events"))
    for path in ("/", "/sidebar/", "/settings/keys/", "/settings/replies/", "/settings/data/"):
        net.add_answer(path, person.get(path))


def read_admin(net: Net, administrator: Person) -> None:
    """The pages of every model of the admin: the list, the newest rows and their histories."""
    administrator.post("/accounts/reauthenticate/", {"password": administrator.password})
    index = administrator.get("/admin/").text
    for path in sorted(set(re.findall(r'href="(/admin/\w+/\w+/)"', index))):
        listing = administrator.get(path)
        net.add_answer(path, listing)
        rows = re.findall(rf'href="({re.escape(path)}[^"/]+/change/)', listing.text)
        for row in rows[:2]:
            net.add_answer(row, administrator.get(row))
            history = row.replace("/change/", "/history/")
            net.add_answer(history, administrator.get(history))


def save_and_use_key(
    net: Net, deployment: Deployment, person: Person, fake: Fake, provider: str, *, complete: bool
) -> None:
    model = MODELS[provider]
    key = net.guard(f"key of {provider}", create_secret("sk-canary"))
    listed = {"data": [{"id": key}, {"id": model}], "models": [{"name": f"models/{key}"}]}
    fake.script(Behaviour(on="models", times=2, error=ErrorAnswer(200, listed)))
    person.post(f"/settings/keys/{provider}/", {"key": key})
    net.add_answer("check", person.post(f"/settings/keys/{provider}/check/", {}))
    echoes = [*list_echoes(key)]
    for reply in echoes if complete else [echoes[at] for at in DAILY]:
        fake.reset()
        fake.script(*[reply] * 8)
        stream = ask(net, deployment, person, model)
    read_pages(net, person, stream)


def read_everything(net: Net, deployment: Deployment) -> None:
    for place, text in read_rows(deployment):
        net.add(place, text)
    net.add("redis", read_redis(deployment))
    for program in deployment.programs:
        net.add("log", program.output())


def join_places(net: Net) -> dict[str, str]:
    """The search could be empty, so tests look into the places."""
    texts: dict[str, str] = {}
    for place, text in net.places:
        texts[place] = texts.get(place, "") + text
    return texts
