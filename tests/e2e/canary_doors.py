"""Keys of connections and access tokens, at each door that takes them, with success and errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import UUID

import httpx2
from websockets.exceptions import WebSocketException

from streaming.providers.tools import ToolCall
from tests.e2e.canary_net import (
    DAILY,
    MODELS,
    Net,
    ask,
    create_secret,
    escape_all,
    list_echoes,
    read_pages,
)
from tests.providers.tool_replies import ToolReply, encode_reply, script_body
from tools.deployment.deployment import Deployment
from tools.deployment.http_user import Person
from tools.fake_provider import Behaviour, ErrorAnswer, Fake

CONNECTIONS = "/admin/accounts/connection/"
TOKENS = "/settings/tokens/"
TOKEN = re.compile(r"hft_[A-Za-z0-9_-]{43}")


def confirm_password(person: Person) -> None:
    person.post("/accounts/reauthenticate/", {"password": person.password})


# Connections


def share_and_use_key(
    net: Net,
    deployment: Deployment,
    administrator: Person,
    guest: Person,
    fake: Fake,
    *,
    kind: str,
    complete: bool,
) -> None:
    """The administrator gives the guest a key, which the guest uses. No prefix tells that it is
    one."""
    key = net.guard(f"key of a connection, {kind}", create_secret("lab"))
    address = fake.openai if kind == "compatible" else ""
    form = {"name": f"Lab {kind}", "kind": kind, "address": address, "key": key}
    form |= {"enabled": "on", "people": guest.email}
    confirm_password(administrator)
    refuse_connections(net, administrator, form)
    row = add_connection(net, deployment, administrator, form, fake)
    model = MODELS["openai"]
    model = f"{row['slug']}:{model}" if kind == "compatible" else model
    echoes = [*list_echoes(key)]
    for reply in echoes if complete else [echoes[at] for at in DAILY]:
        fake.reset()
        fake.script(*[reply] * 8)
        stream = ask(net, deployment, guest, model)
    assert fake.requests(), "no reply was asked for with this key"
    read_pages(net, guest, stream)
    change_connection(net, administrator, form, f"{CONNECTIONS}{row['id']}/change/", fake)


def refuse_connections(net: Net, administrator: Person, form: dict[str, str]) -> None:
    for change in (
        {"name": ""},
        {"kind": "nothing"},
        {"kind": "compatible", "address": "http://169.254.169.254/"},
        {"key": f"{form['key']} and more"},
        {"key": form["key"] * 50},
        {"people": "nobody@holdfast.test"},
    ):
        answer = administrator.post(f"{CONNECTIONS}add/", form | change)
        assert 'class="errornote"' in answer.text, change
        net.add_answer(f"refused {change.keys()}", answer)


def add_connection(
    net: Net, deployment: Deployment, administrator: Person, form: dict[str, str], fake: Fake
) -> dict[str, Any]:
    """The provider echoes the key in its list of models, and then in errors."""
    models = {"data": [{"id": form["key"]}, {"id": MODELS["openai"]}]}
    fake.reset()
    fake.script(Behaviour(on="models", times=1, error=ErrorAnswer(200, models)))
    net.add_answer("added", administrator.post(f"{CONNECTIONS}add/", form))
    row: dict[str, Any] = deployment.rows.one("accounts_connection", name=form["name"])
    for status in (200, 401, 500):
        error = {"error": {"message": f"Your key: {form['key']}", "code": form["key"]}}
        body = models if status == 200 else error
        fake.script(Behaviour(on="models", times=1, error=ErrorAnswer(status, body)))
        action = {"action": "check_again", "_selected_action": str(row["id"])}
        net.add_answer(f"checked {status}", administrator.post(CONNECTIONS, action))
    return row


def change_connection(
    net: Net, administrator: Person, form: dict[str, str], page: str, fake: Fake
) -> None:
    """Leave the key, move it to another address, fail, and enter the key again."""
    confirm_password(administrator)
    net.add_answer("page", administrator.get(page))
    net.add_answer("history", administrator.get(page.replace("/change/", "/history/")))
    moved = {"address": f"{fake.openai}/moved", "kind": "compatible", "key": ""}
    for change in ({"key": ""}, moved, {"monthly_tokens": "many"}, {}):
        net.add_answer(f"changed {change.keys()}", administrator.post(page, form | change))


# Calls of tools


def call_with_key(net: Net, deployment: Deployment, person: Person, fake: Fake, key: str) -> None:
    """The provider echoes the key inside a call of a tool, to a program that uses the gateway."""
    token = net.guard("token of the gateway", person.create_token("gateway"))
    tool = {"type": "function", "name": "find_tide", "parameters": {"type": "object"}}
    body = {"model": MODELS["openai"], "input": "What is my key?", "tools": [tool]}
    with httpx2.Client(
        base_url=person.base_url, timeout=30, headers={"Authorization": f"Bearer {token}"}
    ) as client:
        for number, written in enumerate((key, escape_all(key), key.replace("k", "\\u006b", 1))):
            for arguments in (f'{{"at": "{written}"}}', f'{{"at": "{written}'):
                call = ToolCall(f"call_{key}", f"find_{key}", arguments)
                fake.reset()
                fake.script(script_body(encode_reply("openai", ToolReply((call,))), times=8))
                for stream in (False, True):
                    answer = client.post("/v1/responses", json=body | {"stream": stream})
                    assert answer.status_code == 200, answer.text
                    net.add_answer(f"called {number}", answer)
                    [id] = set(re.findall(r"resp_[0-9a-f]{32}", answer.text))
                    net.add_answer("called again", client.get(f"/v1/responses/{id}"))
                    net.add_answer("stream", person.get(f"/api/streams/{UUID(id[5:])}/events"))


# Tokens


def create_token(net: Net, person: Person, scope: str) -> str:
    """The answer to the form shows the token, and is the one place that is not searched."""
    confirm_password(person)
    form: dict[str, Any] = {"name": f"Program to {scope}", "scopes": [scope], "days": "30"}
    net.add_answer("refused token", person.post(TOKENS, form | {"days": "1000"}, expect=422))
    [token] = TOKEN.findall(person.post(TOKENS, form).text)
    return net.guard(f"token to {scope}", token)


def use_token(net: Net, person: Person, token: str, stream: UUID) -> set[int]:
    """Send the token to each door and to places where it does not belong. Return the statuses."""
    statuses = set()
    with httpx2.Client(base_url=person.base_url, timeout=30) as client:
        for number, request in enumerate(list_token_requests(token, stream)):
            answer = client.request(**request)
            net.add_answer(f"token {number}", answer)
            statuses.add(answer.status_code)
    follow_with_token(net, person, token, stream)
    return statuses


def list_token_requests(token: str, stream: UUID) -> Iterator[dict[str, Any]]:
    bearer = {"Authorization": f"Bearer {token}"}
    events = f"/api/streams/{stream}/events"
    for path in (
        *("/api/keys", "/api/models", "/api/conversations", "/api/conversations/x", "/api/nothing"),
        *(f"/api/streams/{stream}", f"/api/streams/{stream}/chunks", events, f"{events}?after=x"),
        *("/", TOKENS, "/admin/", "/healthz", "/static/nowhere.css"),
    ):
        yield {"method": "GET", "url": path, "headers": bearer}
    message = {"text": "Why do tides lag the moon?", "model": "demo-fast"}
    bodies: tuple[Any, ...] = (message, message | {"model": "nothing"}, message | {"more": 1}, [])
    for body in bodies:
        yield {"method": "POST", "url": "/api/conversations", "json": body, "headers": bearer}
    text = bearer | {"Content-Type": "application/json"}
    yield {"method": "POST", "url": "/api/conversations", "content": b"{", "headers": text}
    yield {"method": "PUT", "url": events, "headers": bearer}
    yield {"method": "POST", "url": "/c/", "data": message, "headers": bearer}
    for wrong in (f"Bearer {token} {token}", f"Bearer {token}x", f"Basic {token}", token):
        yield {"method": "GET", "url": events, "headers": {"Authorization": wrong}}
    yield {"method": "GET", "url": f"{events}?access_token={token}"}
    yield {"method": "GET", "url": f"/api/conversations/{token}", "headers": bearer}
    yield {"method": "GET", "url": "/api/keys", "headers": {"Cookie": f"sessionid={token}"}}


def follow_with_token(net: Net, person: Person, token: str, stream: UUID) -> None:
    """A socket with a token that is not valid is closed."""
    headers = {"Authorization": f"Bearer {token}"}
    with (
        suppress(WebSocketException, TimeoutError),
        person.socket(additional_headers=headers) as frames,
    ):
        for message in ({"type": "follow", "stream": str(stream), "after": -1}, {"type": token}):
            frames.send(json.dumps(message))
        while True:
            frame = str(frames.recv(timeout=10))
            net.add("frame of a token", frame)
            if json.loads(frame)["type"] == "end":
                break


def revoke_token(net: Net, deployment: Deployment, person: Person, scope: str) -> None:
    row = deployment.rows.one("accounts_accesstoken", name=f"Program to {scope}")
    net.add_answer("revoked", person.post(f"{TOKENS}revoke/", {"token": str(row["id"])}))
