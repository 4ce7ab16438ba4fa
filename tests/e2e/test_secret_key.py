"""A change of SECRET_KEY on running processes."""

from __future__ import annotations

import json
import re
from contextlib import closing

import pytest
from websockets.exceptions import ConnectionClosed

from tests.e2e.conftest import StartDeployment
from tools.deployment.deployment import Deployment, Server
from tools.deployment.http_user import Person
from tools.waiting import until

RESET = "/accounts/password/reset/"
OLD_KEY = "the-key-of-last-year-long-and-random-enough-0123456789"
NEW_KEY = "the-key-of-this-year-long-and-random-enough-9876543210"


def restart(deployment: Deployment, **environment: str) -> None:
    for program in deployment.programs:
        program.environment = {**(program.environment or {}), **environment}
        program.restart()


def can_use_socket(person: Person) -> bool:
    try:
        with person.socket() as socket:
            return bool(json.loads(socket.recv(timeout=10))["type"] == "hello")
    except ConnectionClosed:
        return False


def request_link(deployment: Deployment, person: Person) -> str:
    with closing(Person(deployment.base_url, person.name)) as visitor:
        visitor.post(RESET, {"email": person.email})
    links = until(lambda: re.findall(r"http\S+/password/reset/key/\S+/\n", deployment.logs(500)))
    return str(links[-1]).strip()


def can_set_password(deployment: Deployment, link: str) -> bool:
    with closing(Person(deployment.base_url, "visitor")) as visitor:
        return "password1" in visitor.get(link).text


@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
def test_a_new_key_signs_nobody_out_while_the_old_one_is_listed(
    start_deployment: StartDeployment, server: Server
) -> None:
    deployment = start_deployment("stack", server=server, environment={"SECRET_KEY": OLD_KEY})
    owner, idle = deployment.person("owner"), deployment.person("idle")
    cookies = owner.cookies
    link = request_link(deployment, owner)

    restart(deployment, SECRET_KEY=NEW_KEY, SECRET_KEY_FALLBACKS=OLD_KEY)
    assert can_use_socket(owner)
    assert owner.get("/settings/keys/").url.path == "/settings/keys/"
    assert owner.cookies["sessionid"] == cookies["sessionid"]
    assert can_set_password(deployment, link)
    deployment.send(owner, "Hold fast")

    restart(deployment, SECRET_KEY_FALLBACKS="")
    assert can_use_socket(owner), "the session was used under the new key"
    assert not can_use_socket(idle), "the session was not used since"
    assert idle.get("/settings/keys/").url.path == "/accounts/login/"
    assert not can_set_password(deployment, link)
