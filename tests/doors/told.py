"""The answer of a door to a client with a cursor, in one form for all doors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

import httpx2

TIMEOUT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Told:
    """`kind` is "rest" for the text after the cursor, "snapshot" for all of the text, "over" if
    there is nothing to read, or the code of a refusal. `index` is the cursor that the client has
    then; a door without cursors leaves it at -1."""

    kind: str
    text: str = ""
    index: int = -1
    has_ended: bool = False


Door = Callable[[str, str, UUID, str, int], Told]
"""Called with the address of the server, a token (empty: none), a stream, a cursor as text, and the
last index that the stream has now."""


def open_client(url: str, token: str) -> httpx2.Client:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # Each client would load the certificates of the system, for connections without TLS.
    return httpx2.Client(
        base_url=url, headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False, verify=False
    )


def has_ended(client: httpx2.Client, stream: UUID) -> bool:
    """Ask the JSON API. Nothing in the answer of a running reply says that there is no more now."""
    state = client.get(f"/api/streams/{stream}/chunks").json()["stream"]["state"]
    return state not in ("queued", "running")


def read_fields(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """The fields of each event. A comment is a field without a name."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if line:
            before = f"{fields[name]}\n" if name in fields else ""
            fields[name] = before + value.removeprefix(" ")
        elif fields:
            yield fields
            fields = {}


def is_index(cursor: str) -> bool:
    """Whether it is written as an index of a row is."""
    return cursor.isascii() and cursor.isdecimal() and str(int(cursor)) == cursor
