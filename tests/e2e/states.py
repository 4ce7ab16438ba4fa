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

KEPT = "The moon pulls, and the sea follows."
AGAIN = ("Regenerate", "Try another model")
COPIED = ("Copy", *AGAIN)
ON = ("Copy", "Continue", *AGAIN)
A_LONG_TIME = {"retry-after": "3600"}

PROSE = (
    f"# Heading\n\n{KEPT}\n\nText with `code`, $x^2$ and [a link](https://example.org).\n\n"
    "- [x] done\n- [ ] not\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n"
    "```python\nfor tide in range(3):\n    print(tide)  # a remark\n```\n\n> Quoted.\n\n"
)


LONG = "Holdfast" * 20
WIDE = (
    f"# {LONG}\n\n{LONG} `{LONG}` https://example.org/{LONG}\n\n- {LONG}\n\n> {LONG}\n\n"
    f"```python\n{LONG}\n```\n\n| {'a | ' * 20}\n|{'---|' * 20}\n| {'wide | ' * 20}\n\n"
    f"$${'x + ' * 80} y$$\n\nand $x = {'y + ' * 60} z$"
)


@dataclass(frozen=True, slots=True)
class Running:
    """A running reply. It shows `says` below its text, or the last of `sent` replies does, after
    `silent` seconds of silence."""

    name: str
    behaviour: Behaviour
    says: str
    sent: int = 1
    silent: int = 0

    @property
    def written(self) -> int:
        """Deltas before it is held."""
        return self.behaviour.hold_after[0] if self.behaviour.hold_after else 0


@dataclass(frozen=True, slots=True)
class Ending:
    """An ended reply: its state in `says`, the complete text of its card, and in `offers` the first
    of its actions."""

    name: str
    behaviour: Behaviour
    says: str
    offers: tuple[str, ...]
    told: tuple[str, ...] = ()
    stopped: bool = False

    @property
    def keeps(self) -> str:
        """Text of it that was written."""
        return KEPT if KEPT in self.behaviour.text else ""


def _error(status: int, code: str = "", **headers: str) -> Behaviour:
    said = {"error": {"message": "The model said no.", "code": code, "param": None, "type": code}}
    return Behaviour(error=ErrorAnswer(status, said, headers=headers), times=None)


WRITING = Behaviour.of(PROSE, "more", hold_after=(1,))
HELD = Behaviour.of("x", hold_after=(0,))
THINKING = Behaviour((Piece("Hm. ", "reasoning"), Piece("So.")), hold_after=(1,))

RUNNING = [
    Running("queued", WRITING, "Queued after the previous one", sent=2),
    Running("connecting", HELD, "Connecting"),
    Running("slow to start", HELD, "Still waiting for GPT-5.5", silent=11),
    Running("thinking", THINKING, "Thinking"),
    Running("writing", WRITING, "Writing"),
    Running("silent", WRITING, "No new text for", silent=31),
    Running("retrying", _error(429, **{"retry-after": "45"}), "Rate limited. Retrying in"),
]

ENDINGS = [
    Ending("completed", Behaviour((Piece("Hm. ", "reasoning"), Piece(PROSE))), "", COPIED),
    Ending("stopped", WRITING, "Stopped", ON, stopped=True),
    Ending("stopped before it began", HELD, "Stopped", AGAIN, stopped=True),
    Ending(
        "truncated",
        Behaviour.of(PROSE, finish="max_output_tokens"),
        "Reached the length limit",
        ON,
    ),
    Ending(
        "refused by the model",
        Behaviour((Piece("I can't help with that.", "refusal"),)),
        "Declined by the model",
        COPIED,
    ),
    Ending(
        "cut short by rules",
        Behaviour.of(PROSE, finish="content_filter"),
        "Stopped by the provider’s content filter",
        COPIED,
    ),
    Ending("without a word", Behaviour(), "Empty reply", AGAIN),
    Ending(
        "interrupted",
        Behaviour.of(PROSE, "more", cut_after=1, times=None),
        "Interrupted",
        ("Continue", *COPIED),
        (
            "The connection to the provider broke in the middle of the reply.",
            "The partial reply is saved.",
        ),
    ),
    Ending(
        "a wrong key",
        _error(401, "invalid_api_key"),
        "Failed",
        ("Update key", *AGAIN),
        ("The provider rejected your API key.",),
    ),
    Ending(
        "no credit",
        _error(429, "insufficient_quota"),
        "Failed",
        ("Update key", *AGAIN),
        ("Your account at the provider is out of credit.",),
    ),
    Ending(
        "rate limited",
        _error(429, "rate_limit_exceeded", **A_LONG_TIME),
        "Failed",
        ("Try again", "Try another model"),
        ("You’ve hit the rate limit of the provider. Try again in 60 min.",),
    ),
    Ending(
        "too long",
        _error(400, "context_length_exceeded"),
        "Failed",
        ("New chat", *AGAIN),
        ("This chat is too long for the model.",),
    ),
    Ending(
        "no such model",
        _error(404, "model_not_found"),
        "Failed",
        ("Choose another model", *AGAIN),
        ("The provider has no such model for your API key. Choose another one.",),
    ),
    Ending(
        "refused by the provider",
        _error(400, "content_policy_violation"),
        "Failed",
        ("Edit your message", *AGAIN),
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
    deployment: Deployment, person: Person, fake: Fake, state: Running
) -> tuple[UUID, list[UUID]]:
    """Create a conversation whose newest reply is in that state. Return it with its running
    streams."""
    fake.script(state.behaviour)
    streams = [deployment.send(person, "Why do tides lag?", model=MODEL)]
    chat = UUID(str(deployment.rows.message(streams[0])["conversation_id"]))
    if state.behaviour.hold_after:
        fake.wait_for("held")
    until(lambda: deployment.rows.stream(streams[0])["next_index"] >= state.written, within=30)
    for _ in range(state.sent - 1):
        streams.append(deployment.send(person, "And then?", model=MODEL, conversation=chat))
    return chat, streams


def stop_replies(person: Person, fake: Fake, streams: list[UUID]) -> None:
    """Stop the running replies, the newest first, so that none starts meanwhile."""
    for stream in reversed(streams):
        person.post(f"/s/{stream}/stop/", {})
    fake.release()


def find_reply_in_state(page: Page, state: Running) -> Locator:
    """Return the reply as the page shows it in that state, letting time pass if necessary."""
    reply = page.locator("article[data-role=assistant]").last
    if state.silent:
        expect(reply.locator(".state")).to_have_text("Writing" if state.written else "Connecting")
        page.clock.install()
        page.reload()
        page.clock.run_for(1000)  # it has looked once
        page.clock.fast_forward(state.silent * 1000)
    expect(reply.locator(".state")).to_contain_text(state.says)
    return reply


def end_reply(
    deployment: Deployment,
    person: Person,
    fake: Fake,
    ending: Ending,
    conversation: UUID | None = None,
) -> UUID:
    """Create a conversation whose newest reply has ended in this way."""
    fake.reset()
    fake.script(ending.behaviour)
    stream = deployment.send(person, f"{ending.name}?", model=MODEL, conversation=conversation)
    if ending.stopped:
        fake.wait_for("held")
        written = ending.behaviour.hold_after[0]
        until(lambda: deployment.rows.stream(stream)["next_index"] >= written, within=30)
        person.post(f"/s/{stream}/stop/", {})
        fake.release()
    until(lambda: deployment.rows.stream(stream)["ended_at"], within=60, what=ending.name)
    return UUID(str(deployment.rows.message(stream)["conversation_id"]))
