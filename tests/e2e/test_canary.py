"""Unique secrets pass through the doors of a deployment, to a provider that echoes its key in every
form. Afterwards no log, row, answer, frame, export or byte of Redis contains one, except where a
secret says so. tests/accounts/test_canary.py does the same in one process."""

from __future__ import annotations

import base64
import secrets

import pytest

from tests.e2e.canary_doors import (
    call_with_key,
    create_token,
    revoke_token,
    share_and_use_key,
    use_token,
)
from tests.e2e.canary_net import (
    MODELS,
    Net,
    create_secret,
    join_places,
    read_admin,
    read_everything,
    save_and_use_key,
)
from tests.e2e.conftest import StartDeployment
from tools.deployment.deployment import Deployment
from tools.fake_provider import Fake


def test_a_key_that_a_provider_echoes_is_found_nowhere(deployment: Deployment, fake: Fake) -> None:
    net = Net()
    person = deployment.person(f"person-{secrets.token_hex(4)}")
    save_and_use_key(net, deployment, person, fake, "openai", complete=False)
    read_everything(net, deployment)
    texts = join_places(net)
    assert "[key]" in texts["frame"]
    assert "[key]" in texts["table chat_message"]
    assert len(texts["table accounts_apikey"]) > 100
    assert net.find() == []


def test_a_key_that_a_provider_echoes_in_a_call_is_found_nowhere(
    deployment: Deployment, fake: Fake
) -> None:
    net = Net()
    person = deployment.person(f"person-{secrets.token_hex(4)}")
    key = net.guard("key", create_secret("sk-canary"))
    person.add_key("openai", key)
    call_with_key(net, deployment, person, fake, key)
    read_everything(net, deployment)
    texts = join_places(net)
    assert "[key]" in texts["table chat_toolpart"]
    assert "[key]" in texts["page called 0"]
    assert "find_" in texts["page stream"]
    assert net.find() == []


def share_keys_and_use_tokens(
    net: Net, deployment: Deployment, fake: Fake, *, complete: bool
) -> None:
    owner, guest = deployment.person("owner"), deployment.person("guest")
    for kind in ("openai", "compatible"):
        share_and_use_key(net, deployment, owner, guest, fake, kind=kind, complete=complete)
    stream = deployment.send(guest, "Why do tides lag the moon?")
    reading, writing = (create_token(net, guest, scope) for scope in ("read", "write"))
    assert use_token(net, guest, reading, stream) >= {200, 401, 403, 404}
    assert use_token(net, guest, writing, stream) >= {200, 201, 400, 401, 404, 422}
    for scope, token in (("read", reading), ("write", writing)):
        revoke_token(net, deployment, guest, scope)
        assert use_token(net, guest, token, stream).isdisjoint({201, 422})
    read_admin(net, owner)


def test_a_key_of_a_connection_and_a_token_are_found_nowhere(
    start_deployment: StartDeployment, fake: Fake
) -> None:
    net = Net()
    deployment = start_deployment("embedded", environment={"LOG_LEVEL": "DEBUG"})
    share_keys_and_use_tokens(net, deployment, fake, complete=False)
    read_everything(net, deployment)
    texts = join_places(net)
    assert "[key]" in texts["frame"]
    assert '"type":"end"' in texts["frame of a token"].replace(" ", "")
    assert len(texts["table accounts_connection"]) > 200
    assert "token.created" in texts["table accounts_auditevent"]
    assert "DEBUG" in texts["log"]
    assert net.find() == []


COMMANDS = {
    "audit as lines": ("export_audit",),
    "audit as table": ("export_audit", "--format", "csv"),
    "rotation": ("rotate_keys",),
    "export": ("dumpdata", "accounts", "chat", "streaming", "socialaccount", "mfa"),
    "check": ("check",),
}


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_no_place_of_a_deployment_that_logs_everything_holds_a_secret(
    start_deployment: StartDeployment, fake: Fake
) -> None:
    net = Net()
    environment = {
        "SECRET_KEY": net.guard("SECRET_KEY", secrets.token_urlsafe(40)),
        "GITHUB_CLIENT_ID": "kelp",
        "GITHUB_CLIENT_SECRET": net.guard("client secret", create_secret("gh")),
        "ANTHROPIC_BASE_URL": fake.anthropic,
        "GOOGLE_GEMINI_BASE_URL": fake.google,
        "LOG_LEVEL": "DEBUG",
        "GENERATE_TITLES": "on",
    }
    master_key = net.guard("master key", base64.b64encode(secrets.token_bytes(32)).decode())
    environment["MASTER_KEYS"] = f"e2e:{master_key}"
    deployment = start_deployment("stack", environment=environment)
    owner = deployment.person("owner")
    net.guard("password", owner.password)
    for provider in MODELS:
        save_and_use_key(net, deployment, owner, fake, provider, complete=True)
    share_keys_and_use_tokens(net, deployment, fake, complete=True)
    for name, arguments in COMMANDS.items():
        net.add(name, deployment.manage(*arguments))
    owner.post("/settings/keys/google/remove/", {})
    read_admin(net, owner)
    # The session's cookie is stored as the key of its row.
    net.guard("session", owner.cookies["sessionid"], "table (django_session|usersessions_)")
    read_everything(net, deployment)
    texts = join_places(net)
    assert "DEBUG" in texts["log"]
    assert sum(place.startswith("page /admin/") for place in texts) > 20
    assert net.find() == []


def test_a_planted_secret_is_found_in_each_form() -> None:
    """The search itself could fail."""
    net = Net()
    key = net.guard("key", create_secret("sk"), "table keys")
    forms = (key, key.encode().hex(), base64.b64encode(f"{key}>".encode()).decode())
    for number, form in enumerate(forms):
        net.add(f"place {number}", f"before {form} after")
        net.add("table keys", form)
    assert net.find() == [f"key in place {number}" for number in range(3)]
