"""The states of a reply, and how a provider causes each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.replies import MODEL
from tools.deployment.deployment import Deployment
from tools.deployment.http_user import Person
from tools.fake_provider import Behaviour, Fake, Piece
from tools.fake_provider.behaviour import ErrorAnswer
from tools.waiting import until

SAVED_TEXT = "The moon pulls, and the sea follows."
RETRY_ACTIONS = ("Regenerate", "Try another model")
COPY_ACTIONS = ("Copy", *RETRY_ACTIONS)
CONTINUE_ACTIONS = ("Copy", "Continue", *RETRY_ACTIONS)
LONG_RETRY_AFTER = {"retry-after": "3600"}

PROSE = (
    f"# Heading\n\n{SAVED_TEXT}\n\nText with `code`, $x^2$ and [a link](https://example.org).\n\n"
    "- [x] done\n- [ ] not\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n"
    "```python\nfor tide in range(3):\n    print(tide)  # a remark\n```\n\n> Quoted.\n\n"
)


LONG_WORD = "Holdfast" * 20
WIDE_REPLY = (
    f"# {LONG_WORD}\n\n{LONG_WORD} `{LONG_WORD}` https://example.org/{LONG_WORD}\n\n"
    f"- {LONG_WORD}\n\n> {LONG_WORD}\n\n"
    f"```python\n{LONG_WORD}\n```\n\n| {'a | ' * 20}\n|{'---|' * 20}\n| {'wide | ' * 20}\n\n"
    f"$${'x + ' * 80} y$$\n\nand $x = {'y + ' * 60} z$"
)


@dataclass(frozen=True, slots=True)
class RunningState:
    """A running reply. Its card shows `status_text`, or that of the last of `message_count` replies
    does, after `silence_seconds` without new text."""

    name: str
    behaviour: Behaviour
    status_text: str
    message_count: int = 1
    silence_seconds: int = 0

    @property
    def written_deltas(self) -> int:
        """Return the number of deltas before it is held."""
        return self.behaviour.hold_after[0] if self.behaviour.hold_after else 0


@dataclass(frozen=True, slots=True)
class EndedState:
    """An ended reply: the status and the messages on its card, and the first of its actions."""

    name: str
    behaviour: Behaviour
    status_text: str
    first_actions: tuple[str, ...]
    messages: tuple[str, ...] = ()
    is_stopped: bool = False

    @property
    def saved_text(self) -> str:
        """Return the text of it that is in the database."""
        return SAVED_TEXT if SAVED_TEXT in self.behaviour.text else ""


def script_error(status: int, code: str = "", **headers: str) -> Behaviour:
    body = {"error": {"message": "The model said no.", "code": code, "param": None, "type": code}}
    return Behaviour(error=ErrorAnswer(status, body, headers=headers), times=None)


WRITING_REPLY = Behaviour.of(PROSE, "more", hold_after=(1,))
HELD_REPLY = Behaviour.of("x", hold_after=(0,))
THINKING_REPLY = Behaviour((Piece("Hm. ", "reasoning"), Piece("So.")), hold_after=(1,))

RUNNING_STATES = [
    RunningState("queued", WRITING_REPLY, "Queued after the previous one", message_count=2),
    RunningState("connecting", HELD_REPLY, "Connecting"),
    RunningState("slow to start", HELD_REPLY, "Still waiting for GPT-5.5", silence_seconds=11),
    RunningState("thinking", THINKING_REPLY, "Thinking"),
    RunningState("writing", WRITING_REPLY, "Writing"),
    RunningState("silent", WRITING_REPLY, "No new text for", silence_seconds=31),
    RunningState(
        "retrying", script_error(429, **{"retry-after": "45"}), "Rate limited. Retrying in"
    ),
]

ENDED_STATES = [
    EndedState(
        "completed", Behaviour((Piece("Hm. ", "reasoning"), Piece(PROSE))), "", COPY_ACTIONS
    ),
    EndedState("stopped", WRITING_REPLY, "Stopped", CONTINUE_ACTIONS, is_stopped=True),
    EndedState("stopped before it began", HELD_REPLY, "Stopped", RETRY_ACTIONS, is_stopped=True),
    EndedState(
        "truncated",
        Behaviour.of(PROSE, finish="max_output_tokens"),
        "Reached the length limit",
        CONTINUE_ACTIONS,
    ),
    EndedState(
        "refused by the model",
        Behaviour((Piece("I can't help with that.", "refusal"),)),
        "Declined by the model",
        COPY_ACTIONS,
    ),
    EndedState(
        "cut short by rules",
        Behaviour.of(PROSE, finish="content_filter"),
        "Stopped by the provider’s content filter",
        COPY_ACTIONS,
    ),
    EndedState(
        "without a word",
        Behaviour(),
        "Failed",
        ("Try again", "Try another model"),
        ("Nothing came back. The prompt may be too long for the model as loaded.",),
    ),
    EndedState(
        "only thoughts",
        Behaviour((Piece("The sea, hm.", "reasoning"),)),
        "Failed",
        ("Try again", "Copy", "Try another model"),
        ("Only thoughts, no answer.", "allow longer replies in the chat settings"),
    ),
    EndedState(
        "given up by the server",
        Behaviour.of(PROSE, finish="server_shutdown"),
        "Interrupted",
        ("Continue", *COPY_ACTIONS),
        ("Cut off by the server: server_shutdown", "The partial reply is saved."),
    ),
    EndedState(
        "interrupted",
        Behaviour.of(PROSE, "more", cut_after=1, times=None),
        "Interrupted",
        ("Continue", *COPY_ACTIONS),
        (
            "The connection to the provider broke in the middle of the reply.",
            "The partial reply is saved.",
        ),
    ),
    EndedState(
        "a wrong key",
        script_error(401, "invalid_api_key"),
        "Failed",
        ("Update key", *RETRY_ACTIONS),
        ("The provider rejected your API key.",),
    ),
    EndedState(
        "no credit",
        script_error(429, "insufficient_quota"),
        "Failed",
        ("Update key", *RETRY_ACTIONS),
        ("Your account at the provider is out of credit.",),
    ),
    EndedState(
        "rate limited",
        script_error(429, "rate_limit_exceeded", **LONG_RETRY_AFTER),
        "Failed",
        ("Try again", "Try another model"),
        ("You’ve hit the rate limit of the provider. Try again in 60 min.",),
    ),
    EndedState(
        "too long",
        script_error(400, "context_length_exceeded"),
        "Failed",
        ("New chat", *RETRY_ACTIONS),
        ("This chat is too long for the model.",),
    ),
    EndedState(
        "no such model",
        script_error(404, "model_not_found"),
        "Failed",
        ("Choose another model", *RETRY_ACTIONS),
        ("The provider has no such model for your API key. Choose another one.",),
    ),
    EndedState(
        "refused by the provider",
        script_error(400, "content_policy_violation"),
        "Failed",
        ("Edit your message", *RETRY_ACTIONS),
        ("The content policy of the provider blocked this.",),
    ),
]


def build_cases(states: list[Any], *daily: str) -> list[Any]:
    """Return the states as parameters of a test. All but the daily ones are left to `make
    prove`."""
    return [
        pytest.param(state, id=state.name, marks=[] if state.name in daily else pytest.mark.prove)
        for state in states
    ]


def mark_for_prove(*values: str) -> list[Any]:
    """Return parameters that are left to `make prove`."""
    return [pytest.param(value, marks=pytest.mark.prove) for value in values]


def start_reply(
    deployment: Deployment, person: Person, fake: Fake, state: RunningState
) -> tuple[UUID, list[UUID]]:
    """Create a conversation whose newest reply is in that state. Return it with its running
    streams."""
    fake.script(state.behaviour)
    streams = [deployment.send(person, "Why do tides lag?", model=MODEL)]
    chat = UUID(str(deployment.rows.message(streams[0])["conversation_id"]))
    if state.behaviour.hold_after:
        fake.wait_for("held")
    until(
        lambda: deployment.rows.stream(streams[0])["next_index"] >= state.written_deltas, within=30
    )
    for _ in range(state.message_count - 1):
        streams.append(deployment.send(person, "And then?", model=MODEL, conversation=chat))
    return chat, streams


def stop_replies(person: Person, fake: Fake, streams: list[UUID]) -> None:
    """Stop the running replies, the newest first, so that none starts meanwhile."""
    for stream in reversed(streams):
        person.post(f"/s/{stream}/stop/", {})
    fake.release()


def find_reply_in_state(page: Page, state: RunningState) -> Locator:
    """Return the reply as the page shows it in that state, letting time pass if necessary."""
    reply = page.locator("article[data-role=assistant]").last
    if state.silence_seconds:
        expect(reply.locator(".state")).to_have_text(
            "Writing" if state.written_deltas else "Connecting"
        )
        page.clock.install()
        page.reload()
        expect(page.locator("live-reply").last).to_have_js_property("isRunning", True)
        page.clock.run_for(1000)  # it has looked once
        page.clock.fast_forward(state.silence_seconds * 1000)
    expect(reply.locator(".state")).to_contain_text(state.status_text)
    return reply


def end_reply(
    deployment: Deployment,
    person: Person,
    fake: Fake,
    ending: EndedState,
    conversation: UUID | None = None,
) -> UUID:
    """Create a conversation whose newest reply has ended in this way."""
    fake.reset()
    fake.script(ending.behaviour)
    stream = deployment.send(person, f"{ending.name}?", model=MODEL, conversation=conversation)
    if ending.is_stopped:
        fake.wait_for("held")
        written = ending.behaviour.hold_after[0]
        until(lambda: deployment.rows.stream(stream)["next_index"] >= written, within=30)
        person.post(f"/s/{stream}/stop/", {})
        fake.release()
    until(lambda: deployment.rows.stream(stream)["ended_at"], within=60, what=ending.name)
    return UUID(str(deployment.rows.message(stream)["conversation_id"]))
