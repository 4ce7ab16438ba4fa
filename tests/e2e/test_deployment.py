"""The basis of the other browser tests: every kind starts, answers, and survives a kill."""

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import StartDeployment
from tools.deployment.deployment import Deployment
from tools.fake_provider import Behaviour, Fake
from tools.waiting import until

pytestmark = pytest.mark.page


def test_the_first_to_sign_up_is_the_administrator(deployment: Deployment) -> None:
    deployment.person("owner")
    deployment.person("colleague")
    people = deployment.rows.of("accounts_user")
    assert [person["is_staff"] for person in people][:2] == [True, False]


def test_a_socket_in_a_persons_session_is_greeted(deployment: Deployment) -> None:
    with deployment.person("colleague").socket() as socket:
        hello = json.loads(socket.recv(timeout=10))
    assert (hello["type"], hello["version"]) == ("hello", 1)


@pytest.mark.still
def test_a_browser_in_a_persons_session_sees_the_composer(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("colleague"))
    expect(page.get_by_role("textbox", name="Message")).to_be_visible()


def test_a_sent_message_can_be_read_in_the_database(deployment: Deployment) -> None:
    stream = deployment.send(deployment.person("colleague"), "Say something.")
    until(lambda: deployment.rows.stream(stream)["state"] == "completed", within=30)
    message = deployment.rows.message(stream)
    assert message["content"] == deployment.rows.text(stream) != ""


def test_the_provider_is_called_with_the_users_key(deployment: Deployment, fake: Fake) -> None:
    colleague = deployment.person("colleague")
    colleague.add_key("openai")
    fake.script(Behaviour.of("Kelp ", "holds."))
    stream = deployment.send(colleague, "What holds?", model="gpt-5.5")
    until(lambda: deployment.rows.stream(stream)["state"] == "completed", within=30)
    assert deployment.rows.message(stream)["content"] == "Kelp holds."
    assert [request.prompt for request in fake.requests()] == ["What holds?"]


def test_a_killed_deployment_restarts_at_its_address(start_deployment: StartDeployment) -> None:
    deployment = start_deployment("embedded")
    owner = deployment.person("owner")
    deployment.web.kill()
    deployment.web.start()
    assert owner.get("/").status_code == 200
