"""kill -9 in the middle of a reply: it continues or ends, and the page shows which."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PageErrors, StartDeployment
from tests.e2e.replies import (
    MODEL,
    find_newest_reply,
    find_runner,
    read_stream_id,
    send_message,
    wait_for_reply,
)
from tools.deployment.deployment import Kind
from tools.deployment.raw_rows import SEAM
from tools.fake_provider import Behaviour, Fake
from tools.waiting import until

TAKEOVER_SECONDS = 20.0  # seconds from a kill to an owner or an ending

FIRST_HALF = "High tide comes hours after the moon has passed overhead, "
SECOND_HALF = "because the ocean cannot follow it."


def script_interrupted_reply(fake: Fake) -> None:
    """Script an answer that hangs in the middle, and a continuation that repeats a part of it."""
    fake.script(
        Behaviour.of(FIRST_HALF, "and never this.", hold_after=1),
        Behaviour.of("the moon has passed overhead, ", SECOND_HALF, delay=0.05),
    )


@pytest.mark.parametrize("kind", ["embedded", "stack"])
def test_a_killed_reply_is_finished_in_an_open_page(
    start_deployment: StartDeployment,
    fake: Fake,
    open_page: Callable[..., Page],
    page_errors: PageErrors,
    kind: Kind,
) -> None:
    page_errors.allow("ERR_|WebSocket|Failed to (load|fetch)")
    script_interrupted_reply(fake)
    deployment = start_deployment(kind, workers=2)
    owner = deployment.person("owner")
    owner.add_key("openai")
    page = open_page(owner)
    send_message(page, "Why is the tide late?")
    expect(find_newest_reply(page)).to_contain_text(FIRST_HALF.strip())
    stream = read_stream_id(page)
    runner = find_runner(deployment, stream)
    runner.kill()
    if kind == "embedded":
        runner.start()
    until(lambda: deployment.rows.stream(stream)["epoch"] == 2, within=TAKEOVER_SECONDS)
    reply = wait_for_reply(page, within=TAKEOVER_SECONDS)
    expect(reply).to_contain_text(FIRST_HALF + SECOND_HALF)
    expect(reply).to_contain_text("reply continued")
    assert deployment.rows.message(stream)["content"] == FIRST_HALF + SECOND_HALF
    assert deployment.rows.stream(stream)["state"] == "completed"
    assert len(fake.requests()) == 2


@pytest.mark.parametrize("kind", ["embedded", "stack"])
def test_a_killed_reply_is_finished_without_any_page_or_request(
    start_deployment: StartDeployment, fake: Fake, kind: Kind
) -> None:
    script_interrupted_reply(fake)
    deployment = start_deployment(kind, workers=2)
    owner = deployment.person("owner")
    owner.add_key("openai")
    stream = str(deployment.send(owner, "Why is the tide late?", model=MODEL))
    until(lambda: deployment.rows.text(stream) == FIRST_HALF)
    runner = find_runner(deployment, stream)
    runner.kill()
    if kind == "embedded":
        runner.start()
    ended = ("completed", "interrupted")
    until(lambda: deployment.rows.stream(stream)["state"] in ended, within=TAKEOVER_SECONDS)
    assert deployment.rows.message(stream)["content"] == FIRST_HALF + SECOND_HALF


def test_a_queued_reply_runs_after_a_restart_without_any_request(
    start_deployment: StartDeployment, fake: Fake
) -> None:
    fake.script(Behaviour.of("first", hold_after=1), Behaviour.of("Again first.", times=2))
    deployment = start_deployment("embedded")
    owner = deployment.person("owner")
    owner.add_key("openai")
    first = deployment.send(owner, "One", model=MODEL)
    conversation = UUID(str(deployment.rows.message(first)["conversation_id"]))
    second = deployment.send(owner, "Two", model=MODEL, conversation=conversation)
    until(lambda: deployment.rows.text(first) == "first")
    deployment.web.kill()
    deployment.web.start()
    until(
        lambda: deployment.rows.stream(second)["state"] == "completed", within=TAKEOVER_SECONDS + 10
    )
    assert deployment.rows.stream(first)["state"] == "completed"


@pytest.mark.parametrize("kind", ["embedded", "stack"])
def test_a_reply_stored_at_openai_continues_with_the_exact_text(
    start_deployment: StartDeployment, fake: Fake, kind: Kind
) -> None:
    reply = Behaviour.of(
        "High ti", "de 🌊 comes ", "hours ", "after ", "the moon.", hold_after=(2,)
    )
    fake.script(reply)
    deployment = start_deployment(kind, workers=2)
    owner = deployment.person("owner")
    owner.add_key("openai")
    owner.post("/settings/replies/", {"background_replies": "on"})
    stream = str(deployment.send(owner, "Why is the tide late?", model=MODEL))
    until(lambda: deployment.rows.text(stream) == "High tide 🌊 comes ")
    runner = find_runner(deployment, stream)
    runner.kill()
    if kind == "embedded":
        runner.start()
    until(lambda: len(fake.requests()) == 2, within=TAKEOVER_SECONDS)
    fake.release()
    until(lambda: deployment.rows.stream(stream)["state"] == "completed", within=TAKEOVER_SECONDS)
    assert deployment.rows.message(stream)["content"] == reply.text
    assert SEAM not in {chunk["kind"] for chunk in deployment.rows.chunks(stream)}
    generation, attached = fake.requests()
    assert (generation.wire, attached.wire) == ("openai.responses", "openai.responses.attached")
