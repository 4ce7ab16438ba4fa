"""Helpers that the tests of several applications share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from django.db import connections
from django.test import AsyncClient, Client

from accounts.models import User
from streaming.journal import Chunk
from streaming.models import Kind

T = TypeVar("T")

PLAIN_STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

NO_LIMITS_FORM = {"limits-TOTAL_FORMS": "0", "limits-INITIAL_FORMS": "0"}
"""The part of an administrator's form of a person that changes no limit."""

Piece = str | tuple[Kind, str]
"""Text, or a kind with its text."""


def sign_in(client: Client | AsyncClient, user: User) -> None:
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")


def create_signed_in_client(user: User) -> Client:
    client = Client()
    sign_in(client, user)
    return client


def create_session_key(user: User) -> str:
    """Return the key of a new session in which this user is signed in."""
    key = create_signed_in_client(user).session.session_key
    assert key
    return key


def build_chunks(
    pieces: Iterable[Piece], *, first: int = 0, offsets: Mapping[Kind, int] | None = None
) -> list[Chunk]:
    """One chunk per piece. `offsets` are the lengths of the text before them, by kind."""
    lengths = dict.fromkeys(Kind, 0) | dict(offsets or {})
    chunks = []
    for index, piece in enumerate(pieces, start=first):
        kind, delta = (Kind.TEXT, piece) if isinstance(piece, str) else piece
        measured = Kind.TEXT if kind == Kind.SEAM else kind
        chunks.append(Chunk(index, index, kind, delta, lengths[measured]))
        lengths[measured] += len(delta)
    return chunks


def run_at_once(*functions: Callable[[], T]) -> list[T | BaseException]:
    """Run each function in a thread of its own, all from the same moment. Return their results, or
    the errors that they raised, in the same order.
    """
    start = threading.Barrier(len(functions))
    results: list[T | BaseException] = [AssertionError("it never ran")] * len(functions)

    def run(number: int, function: Callable[[], T]) -> None:
        try:
            start.wait(10)
            results[number] = function()
        except BaseException as error:
            results[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results
