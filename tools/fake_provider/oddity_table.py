"""The table of oddities. Add a row for each new one; the contract suite runs every adapter through
the rows of its wire."""

import json
import zlib

from tools.fake_provider.odd_answers import ODD_ENDS, ODD_ERRORS, ODD_LISTS, ODD_REFUSALS
from tools.fake_provider.oddities import (
    CHAT,
    CONTEXT_ERROR,
    THOUGHT,
    Oddity,
    add_fields,
    change_deltas,
    change_reasons,
    compress_bomb,
    compress_stream,
    join_events,
    put_around,
    put_before_text,
    put_first,
    put_in_middle,
    put_text_in_parts,
    remove_last_blank_line,
    rename_delta,
    replace_bytes,
    replace_reason,
    send_document,
    send_instead,
    send_ollama_lines,
    split_bytes,
    use_text_field,
)

GZIP, ZLIB, RAW = zlib.MAX_WBITS | 16, zlib.MAX_WBITS, -zlib.MAX_WBITS
ERROR = json.dumps(CONTEXT_ERROR).encode()
NAMED_ERROR = json.dumps({"error": CONTEXT_ERROR}).encode()
SAID = "available context size"
HTML = b"<!doctype html>\n\n<title>Sign in</title>"
THINKING_PARTS = [{"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}]
DETAILS = [
    {"type": "reasoning.encrypted", "data": "x"},
    {"type": "reasoning.text", "text": THOUGHT},
]

ODDITIES: dict[str, Oddity] = {
    # How bytes are framed
    "crlf": Oddity("lines end in CR LF", replace_bytes(b"\n", b"\r\n")),
    "cr": Oddity("lines end in CR", replace_bytes(b"\n", b"\r")),
    "mixed-ends": Oddity("line ends of all kinds", replace_bytes(b"\n\n", b"\r\n\n")),
    "single-ends": Oddity("no blank lines between events", replace_bytes(b"\n\n", b"\n")),
    "no-space": Oddity("no blank after data:", replace_bytes(b"data: ", b"data:")),
    "bom": Oddity("a byte order mark first", put_first(b"\xef\xbb\xbf")),
    "comments": Oddity("comments, ids and retry times", put_around(b": hi\n\nid: 7\nretry: 9\n")),
    "bytes": Oddity("three bytes in each packet", split_bytes),
    "one-packet": Oddity("the reply is one packet", join_events),
    "no-last-line": Oddity("no line end after the last event", remove_last_blank_line),
    "unknown-events": Oddity("events of unknown types", put_around(b'data: {"type": "ping2"}\n\n')),
    "null-events": Oddity("events with null and empty lists", put_around(b"data: null\n\n")),
    "list-events": Oddity("events with a list of words", put_around(b'data: ["ping"]\n\n')),
    "blank-first": Oddity("a blank before data:", replace_bytes(b"data: ", b" data: ")),
    "capitals": Oddity("Data: in place of data:", replace_bytes(b"data: ", b"Data: ")),
    "words-first": Oddity("words before the first event", put_first(b"Connecting to kelp\n\n")),
    "no-type": Oddity("a wrong content type", join_events, headers={"Content-Type": "text/html"}),
    # Compression that nobody asked for
    "gzip": Oddity("gzip", compress_stream(GZIP), headers={"Content-Encoding": "gzip"}),
    "deflate": Oddity("deflate", compress_stream(ZLIB), headers={"Content-Encoding": "deflate"}),
    "raw-deflate": Oddity(
        "deflate without its header", compress_stream(RAW), headers={"Content-Encoding": "deflate"}
    ),
    "secret-gzip": Oddity("gzip that no header tells", compress_stream(GZIP)),
    "false-gzip": Oddity(
        "no gzip, but the header", join_events, headers={"Content-Encoding": "gzip"}
    ),
    "bomb": Oddity(
        "10 MB in a few KB of gzip",
        compress_bomb,
        headers={"Content-Encoding": "gzip"},
        error="more than one event can hold",
    ),
    # Errors under a status of success
    "error-field": Oddity(
        "an error in a field of its own", send_instead(b"error: " + ERROR + b"\n\n"), error=SAID
    ),
    "late-error-field": Oddity(
        "the same in the middle", put_in_middle(b"error: " + ERROR + b"\n\n"), error=SAID
    ),
    "error-event": Oddity(
        "an event named error", put_in_middle(b"event: error\ndata: " + ERROR + b"\n\n"), error=SAID
    ),
    "error-words": Oddity(
        "an event named error, in words",
        put_in_middle(f"event: error\ndata: the {SAID} is small\n\n".encode()),
        error=SAID,
    ),
    "error-data": Oddity(
        "an error in an event", put_in_middle(b"data: " + NAMED_ERROR + b"\n\n"), error=SAID
    ),
    "error-line": Oddity("a bare line of JSON", put_in_middle(NAMED_ERROR + b"\n\n"), error=SAID),
    "error-body": Oddity("an error as the body", send_instead(NAMED_ERROR), error=SAID),
    "pretty-error": Oddity(
        "the same with line ends",
        send_instead(json.dumps({"error": CONTEXT_ERROR}, indent=2).replace("\n", "\n\n").encode()),
        error=SAID,
    ),
    "error-lines": Oddity(
        "an error in a field of its own, over several lines",
        send_instead(b"error: " + json.dumps(CONTEXT_ERROR, indent=1).encode() + b"\n\n"),
        error=SAID,
    ),
    "error-among-lines": Oddity(
        "a bare line of JSON among single line ends",
        put_in_middle(b'data: {"a": 1}\n' + NAMED_ERROR + b'\ndata: {"b": 1}\n'),
        error=SAID,
    ),
    "words": Oddity("words of a proxy", send_instead(b"no healthy upstream"), error="no healthy"),
    "html": Oddity("a web page", send_instead(HTML), error="No stream of events, but"),
    # The fields of a chunk
    "odd-fields": Oddity(
        "numbers and nulls for strings",
        add_fields(id=7, responseId=[], model=None, usage="none", error=None, index="a"),
    ),
    "odd-delta": Oddity(
        "numbers and lists in a delta",
        change_deltas(lambda delta: {**delta, "role": 5, "tool_calls": {}, "reasoning": [7]}),
        CHAT,
    ),
    "content-parts": Oddity("content in parts", change_deltas(put_text_in_parts), CHAT),
    "message": Oddity("message in place of delta", rename_delta, CHAT),
    "text": Oddity("text in place of delta", use_text_field, CHAT),
    "document": Oddity("one document in place of a stream", send_document(), CHAT),
    "pretty-document": Oddity("the same with line ends", send_document(indent=2), CHAT),
    "large-document": Oddity("the same, of 2 MB", send_document(padding=2_000_000), CHAT),
    "ollama-lines": Oddity("Ollama’s own events, a line each", send_ollama_lines, CHAT),
    # The end
    "reason-everywhere": Oddity(
        "a reason in every event", change_reasons(lambda usual: "stop"), (*CHAT, "google")
    ),
    "eos": Oddity("a reason in another spelling", replace_reason("<|eos_token|>"), CHAT),
    "no-reason": Oddity("no reason, but the last mark", replace_reason(None), CHAT),
    "empty-reason": Oddity("a word for none", change_reasons(lambda usual: usual or "null"), CHAT),
    "new-reason": Oddity(
        "a reason that nobody knows, and the last mark", replace_reason("something_new"), CHAT
    ),
    "reason-object": Oddity("a reason in an object", replace_reason({"type": "stop"}), CHAT),
    "number-reason": Oddity("a number for a reason", replace_reason(1), ("google",)),
    "given-up": Oddity(
        "the server gives the reply up",
        replace_reason("insufficient_system_resource"),
        (*CHAT, "google"),
        error="insufficient_system_resource",
    ),
    # Where reasoning stands
    "thinking-parts": Oddity(
        "Mistral’s parts", put_before_text({"content": THINKING_PARTS}), CHAT, reasoning=THOUGHT
    ),
    "reasoning-details": Oddity(
        "OpenRouter’s details",
        put_before_text({"reasoning_details": DETAILS}),
        CHAT,
        reasoning=THOUGHT,
    ),
    "reasoning-twice": Oddity(
        "the same reasoning in two fields",
        put_before_text({"reasoning": THOUGHT, "reasoning_content": THOUGHT}),
        CHAT,
        reasoning=THOUGHT,
    ),
    "think": Oddity(
        "tags around the reasoning",
        put_before_text({"content": f"<think>\n{THOUGHT}\n</think>\n\n"}),
        CHAT,
        reasoning=THOUGHT,
    ),
    "think-attribute": Oddity(
        "a tag with an attribute, after a byte order mark",
        put_before_text({"content": f'\ufeff<think type="x">{THOUGHT}</think>\n\n'}),
        CHAT,
        reasoning=THOUGHT,
    ),
    "gemma": Oddity(
        "Gemma’s tags around the reasoning",
        put_before_text({"content": f"<|channel>thought\n{THOUGHT}\n<channel|>"}),
        CHAT,
        reasoning=THOUGHT,
    ),
    "late-think": Oddity(
        "the closing tag alone",
        put_before_text({"content": f"{THOUGHT}\n</think>\n\n"}),
        CHAT,
        reasoning=THOUGHT,
    ),
    # Beside the text
    **ODD_ENDS,
    **ODD_REFUSALS,
    **ODD_ERRORS,
    **ODD_LISTS,
}


def describe_oddities() -> str:
    """Return the names with their sentences, one a line."""
    return "\n".join(f"  {name:<24}{row.about}" for name, row in ODDITIES.items())
