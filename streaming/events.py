"""The events of a source, the text it continues from, and its errors.

A source is an async iterator of these events. Nothing here knows Django, a model or a provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

DeltaKind = Literal["text", "reasoning", "tool_call"]


class Delta(NamedTuple):
    """More text of a stream. That of a tool call is one line of JSON.

    `checkpoint` is the position after this text from which the source could continue, in a form of
    its own: up to 200 characters, or two such parts with a space between; a longer one counts as
    none. It is committed in the same statement as the text. Text without a checkpoint invalidates
    the one before. A delta without text moves only the checkpoint: it is saved at once before the
    first text, and later together with the next text.
    """

    text: str
    kind: DeltaKind = "text"
    checkpoint: str = ""


class Note(NamedTuple):
    """A sentence for people about what the source is doing. It stands until the next text."""

    text: str


class Seam(NamedTuple):
    """The place in the text at which a second attempt continues the first."""


class Finish(NamedTuple):
    """The end of a complete text. `usage` holds the counts that are known, by name. `detail` is the
    reason in the words of the service behind the source, if they say more."""

    reason: str = "stop"
    usage: Mapping[str, int] | None = None
    upstream_id: str = ""
    detail: str = ""


SourceEvent = Delta | Note | Seam | Finish


class SourceError(Exception):
    """A source failed, and gives the reason.

    `message` is a sentence for people, `detail` the words of the service behind the source, without
    secrets. An `interrupted` stream has text that is worth continuing; others have failed. `usage`
    holds the counts that are known, by name.
    """

    code: str = "source_error"

    def __init__(
        self,
        code: str,
        message: str,
        detail: str = "",
        *,
        interrupted: bool = False,
        upstream_id: str = "",
        usage: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.detail = detail
        self.interrupted = interrupted
        self.upstream_id = upstream_id
        self.usage = usage


@dataclass(frozen=True, slots=True)
class StreamText:
    """All the text of a stream before `next_index`.

    Seams are offsets into `content`, in code points. `ends_in_seam` means that neither text nor
    reasoning follows the last seam. `calls` has the lines of the tool calls.
    """

    content: str = ""
    reasoning: str = ""
    seams: tuple[int, ...] = ()
    next_index: int = 0
    ends_in_seam: bool = False
    calls: str = ""
