"""A socket outlives the request that opened it, but not the session."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from uuid import uuid4

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tools.deployment.deployment import Deployment
from tools.deployment.http_user import Person

CLOSE_SECONDS = 5.0


def sign_out(person: Person, deployment: Deployment) -> None:
    person.post("/accounts/logout/", {})


def change_password(person: Person, deployment: Deployment) -> None:
    form = {
        "oldpassword": person.password,
        "password1": "drift-wood-9",
        "password2": "drift-wood-9",
    }
    with closing(Person(person.base_url, person.name)) as elsewhere:
        elsewhere.sign_in()
        elsewhere.post("/accounts/password/change/", form)


def deactivate(person: Person, deployment: Deployment) -> None:
    deactivate = f"u = User.objects.get(email='{person.email}'); u.is_active = False; u.save()"
    deployment.manage("shell", "-c", f"from accounts.models import User; {deactivate}")


def delete_session(person: Person, deployment: Deployment) -> None:
    key = person.cookies["sessionid"]
    end = f"Session.objects.filter(session_key='{key}').delete()"
    deployment.manage("shell", "-c", f"from django.contrib.sessions.models import Session; {end}")


SAME_PROCESS = [sign_out, change_password]
FROM_ANOTHER_PROCESS = [deactivate, delete_session]


@pytest.mark.parametrize("end_session", [*SAME_PROCESS, *FROM_ANOTHER_PROCESS])
def test_the_socket_closes_with_the_session(
    deployment: Deployment, end_session: Callable[[Person, Deployment], None]
) -> None:
    person = deployment.person(f"leaver-{uuid4().hex[:8]}")
    with person.socket() as socket:
        assert json.loads(socket.recv(timeout=10))["type"] == "hello"
        end_session(person, deployment)
        # A command in a process of its own sends no notification; the next heartbeat notices.
        within = CLOSE_SECONDS if end_session in SAME_PROCESS else CLOSE_SECONDS + 10
        assert read_close_code(socket, within) == 4401


def read_close_code(socket: ClientConnection, within: float) -> int | None:
    try:
        while True:
            frame = json.loads(socket.recv(timeout=within))
            if frame["type"] == "ping":
                socket.send(json.dumps({"type": "pong", "n": frame["n"]}))
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None
