"""The way of a message from the view to the queued stream is short enough to be read."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client

from accounts.api_keys import keys
from accounts.models import User
from chat.replies import Reply
from streaming.models import Stream
from tests.chat.factories import HTMX, get_path
from tests.docs.routes import POST, read_links

MAX_FILES = 10
FOLLOWED = ("accounts/decorators.py", "chat/messages/", "chat/replies/")
"""A call from these into other rooms of the product is one file, and not followed further."""
DATA = (
    "accounts/models.py",
    "chat/models.py",
    "chat/querysets.py",
    "streaming/models.py",
    "streaming/providers/catalog",
)
"""Attributes and querysets, which read like fields, don't count."""
LAST_FUNCTION = "enqueue"


@contextmanager
def recorded_files(files: list[str]) -> Iterator[None]:
    """Record the product's files in the order in which their functions are called, from the guard
    of the view until the stream is queued."""
    root = Path(settings.BASE_DIR)
    door: FrameType | None = None

    def on_event(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal door
        if event == "return" and frame is door:
            door = None
            if frame.f_code.co_name == LAST_FUNCTION:
                sys.setprofile(None)
        if event != "call" or door is not None:
            return
        path = Path(frame.f_code.co_filename)
        if not path.is_relative_to(root):
            return
        name = path.relative_to(root).as_posix()
        is_followed = name.startswith(FOLLOWED)
        if not (is_followed or files) or name.startswith((*DATA, ".venv", "tests")):
            return
        if name.startswith("config"):  # the middleware, which loads the person when asked
            door = frame
            return
        files.append(name)
        door = None if is_followed else frame

    sys.setprofile(on_event)
    try:
        yield
    finally:
        sys.setprofile(None)


@pytest.fixture
def form(owner: User) -> dict[str, str]:
    keys.save(owner, "openai", "sk-harbour-0123456789-ab12")
    return {"text": "Why?", "model": "gpt-6.2-sol", "request_id": str(uuid4())}


def test_a_new_conversation_passes_through_at_most_ten_files(
    as_owner: Client, form: dict[str, str]
) -> None:
    check_post(as_owner, "/c/", form)


def test_a_message_passes_through_at_most_ten_files(
    as_owner: Client, reply: Reply, form: dict[str, str]
) -> None:
    position = {"parent": str(reply.answer.pk), "seen": str(reply.answer.pk)}
    check_post(as_owner, f"{get_path(reply)}messages/", form | position)


def check_post(client: Client, url: str, form: dict[str, str]) -> None:
    """Post a form that starts a reply: few files take part, and the page shows each of them."""
    client.get("/")  # imports the views
    count = Stream.objects.count()
    files: list[str] = []
    with recorded_files(files):
        client.post(url, form, headers=HTMX)
    assert Stream.objects.count() == count + 1
    passed = list(dict.fromkeys(files))
    assert passed[0] == "accounts/decorators.py"
    assert passed[-1].startswith("streaming/lifecycle/")
    assert len(passed) <= MAX_FILES, "\n".join(passed)
    assert {*passed} <= {link.file for link in read_links(POST)}
