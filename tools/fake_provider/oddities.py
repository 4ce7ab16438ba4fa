"""The oddities of real servers: most bend the bytes of an ordinary reply.

A model named “odd-…” or the directive “!odd …” chooses one; an address with “/odd-…/” in it chooses
one of the lists of models. A row is a name, a sentence, and what the server does: most have a
function from the events of a reply to the packets that are sent in their place.
"""

import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from tools.fake_provider.behaviour import ErrorAnswer

Bend = Callable[[list[bytes]], list[bytes]]

CHAT = ("compatible",)
CONTEXT_ERROR = {"code": 400, "message": "exceeds the available context size", "type": "x"}


def keep_events(events: list[bytes]) -> list[bytes]:
    """Send the reply as it is."""
    return events


@dataclass(frozen=True, slots=True)
class Oddity:
    """One row, for all wires or for some.

    `error` is a part of the error's detail where the reply can't be whole, `code` the error's code;
    `reasoning` is the reasoning that the bent reply has. `answer` is sent instead of the reply: to
    every request, or to those whose body has the field `refuses`. `ending` is a cut after what the
    bend leaves, or a silence in its place. `model_list` is the body of the list of models, which
    has the names `listed`.
    """

    about: str
    bend: Bend = keep_events
    wires: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    error: str = ""
    reasoning: str = ""
    code: str = ""
    answer: ErrorAnswer | None = None
    refuses: str = ""
    ending: Literal["", "cut", "silence"] = ""
    model_list: str = ""
    listed: tuple[str, ...] = ()

    def find_answer(self, body: dict[str, Any]) -> ErrorAnswer | None:
        """Return the answer instead of a reply to a request with this body."""
        return self.answer if not self.refuses or self.refuses in body else None


def split_events(body: bytes) -> list[bytes]:
    """Cut the bytes of a reply into its events, each with its blank line."""
    return [block + b"\n\n" for block in body.split(b"\n\n") if block]


# Bends of the framing


def replace_bytes(old: bytes, new: bytes) -> Bend:
    """Replace bytes in every event."""
    return lambda events: [event.replace(old, new) for event in events]


def put_around(before: bytes = b"", after: bytes = b"") -> Bend:
    """Put bytes before and after every event."""
    return lambda events: [before + event + after for event in events]


def put_first(first: bytes) -> Bend:
    """Put bytes before the whole reply."""
    return lambda events: [first, *events]


def send_instead(body: bytes) -> Bend:
    """Send these bytes in place of the reply."""
    return lambda events: [body]


def put_in_middle(inserted: bytes) -> Bend:
    """Send half of the reply, then these bytes, and nothing more."""
    return lambda events: [*events[: len(events) // 2 + 1], inserted]


def split_bytes(events: list[bytes]) -> list[bytes]:
    """Send three bytes in a packet, so that characters are cut too."""
    body = b"".join(events)
    return [body[at : at + 3] for at in range(0, len(body), 3)]


def remove_last_blank_line(events: list[bytes]) -> list[bytes]:
    """End the body right after the last event."""
    return [*events[:-1], events[-1].rstrip(b"\n")]


def join_events(events: list[bytes]) -> list[bytes]:
    """Send all of the reply at once."""
    return [b"".join(events)]


def compress_stream(wbits: int) -> Bend:
    """Compress the reply as one stream, flushed after every event."""

    def bend(events: list[bytes]) -> list[bytes]:
        packer = zlib.compressobj(wbits=wbits)
        flushed = [packer.compress(e) + packer.flush(zlib.Z_SYNC_FLUSH) for e in events]
        return [*flushed, packer.flush()]

    return bend


def compress_bomb(events: list[bytes]) -> list[bytes]:
    """Compress ten million characters as one event before the reply."""
    return [gzip.compress(b"data: " + b"x" * 10_000_000 + b"".join(events), 1)]


# Bends of the JSON in the events


def load_event(event: bytes) -> dict[str, Any] | None:
    """Decode an event's object; None for other events, such as the last mark."""
    data = event.partition(b"data: ")[2]
    return json.loads(data) if data.startswith(b"{") else None


def dump_events(objects: list[Any], between: bytes = b"\n\n", prefix: bytes = b"data: ") -> bytes:
    """Encode objects as events."""
    lines = [prefix + json.dumps(each, ensure_ascii=False).encode() + between for each in objects]
    return b"".join(lines)


def change_objects(change: Callable[[dict[str, Any]], Any]) -> Bend:
    """Change the object of every event."""

    def bend(events: list[bytes]) -> list[bytes]:
        return [change_event(event, change) for event in events]

    return bend


def change_event(event: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """Change the object of one event, and leave events without one."""
    found = load_event(event)
    if found is None:
        return event
    changed = change(found)
    data = json.dumps(found if changed is None else changed, ensure_ascii=False).encode()
    return event.partition(b"data: ")[0] + b"data: " + data + b"\n\n"


def add_fields(**fields: Any) -> Bend:
    """Set these fields in the object of every event."""
    return change_objects(lambda found: {**found, **fields})


def change_deltas(change: Callable[[dict[str, Any]], Any]) -> Bend:
    """Change the delta of every chunk of a chat completion; what is returned replaces it."""

    def change_choices(found: dict[str, Any]) -> None:
        for choice in found.get("choices") or ():
            changed = change(choice["delta"])
            choice["delta"] = choice["delta"] if changed is None else changed

    return change_objects(change_choices)


def change_reasons(change: Callable[[Any], Any]) -> Bend:
    """Change the finish reason in every event that has a place for one; null is none."""

    def change_choices(found: dict[str, Any]) -> None:
        for choice in found.get("choices") or ():
            choice["finish_reason"] = change(choice["finish_reason"])
        for candidate in found.get("candidates") or ():
            candidate["finishReason"] = change(candidate.get("finishReason"))

    return change_objects(change_choices)


def replace_reason(reason: Any) -> Bend:
    """Send this finish reason in place of the usual one."""
    return change_reasons(lambda usual: reason if usual else usual)


def rename_delta(events: list[bytes]) -> list[bytes]:
    """Send the delta as the message of a choice."""

    def rename(found: dict[str, Any]) -> None:
        for choice in found.get("choices") or ():
            choice["message"] = choice.pop("delta")

    return change_objects(rename)(events)


def use_text_field(events: list[bytes]) -> list[bytes]:
    """Send the text as the API before chat completions did."""

    def rename(found: dict[str, Any]) -> None:
        for choice in found.get("choices") or ():
            choice["text"] = choice.pop("delta").get("content") or ""

    return change_objects(rename)(events)


def put_text_in_parts(delta: dict[str, Any]) -> None:
    """Send the content as a list of parts, with one that nobody knows."""
    if delta.get("content"):
        delta["content"] = [{"type": "text", "text": delta["content"]}, {"type": "x", "text": "no"}]


def put_before_text(first: dict[str, Any]) -> Bend:
    """Send a chunk with this delta before the reply."""
    return put_first(dump_events([{"choices": [{"index": 0, "delta": first}]}]))


def collect_completion(events: list[bytes]) -> dict[str, Any]:
    """Make one chat completion of a stream."""
    objects = [found for event in events if (found := load_event(event))]
    choices = [choice for found in objects for choice in found["choices"]]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    message = {"role": "assistant", "content": text}
    return {"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


def send_document(indent: int | None = None, padding: int = 0) -> Bend:
    """Send the whole reply as one document."""

    def bend(events: list[bytes]) -> list[bytes]:
        document = collect_completion(events) | {"padding": "x" * padding}
        return [json.dumps(document, indent=indent, ensure_ascii=False).encode()]

    return bend


def send_ollama_lines(events: list[bytes]) -> list[bytes]:
    """Send the events of Ollama's own API, a line for each."""
    text = collect_completion(events)["choices"][0]["message"]["content"]
    words = [{"message": {"content": char}, "done": False} for char in text]
    last = {"message": {"content": ""}, "done": True, "done_reason": "stop", "eval_count": 9}
    return [dump_events([each], b"\n", b"") for each in [*words, last]]


THOUGHT = "They ask of kelp."
