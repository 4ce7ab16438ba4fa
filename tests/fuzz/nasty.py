"""Values that often break programs, the same ones for the same seed."""

from __future__ import annotations

from random import Random
from urllib.parse import quote, quote_from_bytes
from uuid import UUID

WORDS = (
    "",
    " ",
    "\0",
    "a\0b",
    "\n",
    "\r\n",
    "\t",
    "\x1f\x7f",
    "\ud800",
    "\udfff\ud800",
    "\ufeff",
    "\u202e",
    "\u2028",
    "٣",
    "²",
    "İı",
    "e\u0301" * 50,
    "😀" * 200,
    "'",
    '"',
    "\\",
    "\\000",
    "%",
    "%00",
    "%s",
    "%(id)s",
    "{}",
    "{{ request }}",
    "<script>",
    "../../etc/passwd",
    "..\\",
    "//evil.example",
    "http://[",
    "http://[::1",
    "http://a:b:c",
    "javascript:alert(1)",
    "a b",
    "?x",
    "#",
    "abc",
    "None",
    "null",
    "nan",
    "NaN",
    "inf",
    "-Infinity",
    "-1",
    "-0",
    "1e400",
    "0x10",
    "1_000",
    "1.5",
    "2.3.4",
    "99999999999",
    str(2**31),
    str(2**63 - 1),
    str(2**63),
    str(2**64),
    "9" * 400,
    "9" * 5000,
    "0000-00-00",
    "9999-12-31",
    "99999-01-01",
    "12:99",
    "9999",
    "12",
    "a@b",
    "ﬀ@ß.example",
    "a@" + "b" * 300 + ".example",
    "x" * 255,
    "x" * 5000,
    "x" * 30_000,
    "(" * 2000,
    "," * 1200,
    "=" * 300,
    "1:2:3",
    "__class__",
    "on",
    "[]",
    "[" * 2000,
    '{"a":',
    str(UUID(int=0)),
    "{" + str(UUID(int=1)) + "}",
    "urn:uuid:" + str(UUID(int=2)),
    str(UUID(int=3))[:-1],
)


def pick_word(random: Random) -> str:
    """Return a text, sometimes two joined ones, or a random one."""
    if random.random() < 0.1:
        return "".join(chr(random.choice((9, 0, 255, 0xD800, 0xFFFF, 0x10FFFF))) for _ in range(4))
    if random.random() < 0.15:
        return random.choice(WORDS) + random.choice(WORDS)
    return random.choice(WORDS)


def pick_octets(random: Random) -> bytes:
    """Return bytes that are no text in any encoding, or in another one than announced."""
    octets = random.choice(
        (b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5", b"\0", b"%", b"%u0000")
    )
    return octets * random.choice((1, 1, 3, 200))


def quote_or_spoil(random: Random, value: str) -> str:
    """Encode for an address or a form; sometimes return bytes that are not UTF-8 instead."""
    if random.random() < 0.1:
        return quote_from_bytes(pick_octets(random), safe="")
    return quote(value, safe="", errors="surrogatepass")


def build_header(random: Random) -> bytes:
    """Return the value of a header as a server would pass it."""
    raw = (
        pick_octets(random)
        if random.random() < 0.2
        else pick_word(random).encode(errors="surrogatepass")
    )
    return raw.translate(None, b"\0\r\n")[:8000]


JSON = (
    "{}",
    "[]",
    "null",
    "1",
    '"a"',
    "NaN",
    "{",
    "",
    "\0",
    "\ufeff{}",
    '{"type":"follow"}{"type":"follow"}',
    "[" * 60_000,
    '{"a":' * 12_000,
    "9" * 5000,
    '{"type":"ping","n":' + "9" * 5000 + "}",
    '{"type":"\\ud800"}',
)
NUMBERS = (
    "0", "-1", "1.5", "1e400", "-1e400", "NaN", "Infinity", "true", "null", '"1"', "[]", "{}",
    str(2**53), str(2**63), str(2**64), "9" * 400, "9" * 5000, "-0", "1E2",
)  # fmt: skip
TYPES = ("hello", "follow", "unfollow", "stop", "ping", "pong", "chunk", "__init__", "\\ud800", "")


def build_frame(random: Random, streams: tuple[str, ...]) -> str | bytes:
    """Return a socket's frame: almost correct, incorrect, or no text at all."""
    if random.random() < 0.1:
        return pick_octets(random)
    if random.random() < 0.3:
        return random.choice(JSON)
    names = {"stream": (*streams, '"\\u0000"', '"x"', *NUMBERS), "after": NUMBERS, "n": NUMBERS}
    fields = [f'"{name}":{random.choice(names[name])}' for name in names if random.random() < 0.7]
    kind = random.choice((*TYPES, *TYPES[:6]))
    return "{" + ",".join([f'"type":"{kind}"', *fields]) + "}"
