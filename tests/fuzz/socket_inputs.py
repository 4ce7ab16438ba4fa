"""Frames for a socket: every command with every field right, wrong, missing and twice; JSON that is
none; and binary data. Each depends on its seed and number alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from random import Random
from uuid import UUID

from tests.fuzz import nasty

FIELDS: Mapping[str, tuple[str, ...]] = {
    "hello": (),
    "follow": ("stream", "after"),
    "unfollow": ("stream",),
    "stop": ("stream",),
    "ping": ("n",),
    "pong": ("n",),
    "send": ("request", "conversation", "text", "model"),
    "continue": ("request", "message"),
}
"""The fields of every command. A new command needs an entry."""
CURSORS = ("-1", "0", "1", "2", "7", "-2", "99999", str(2**53 - 1), str(2**53), "9" * 400, "1.0")
NAMING = ("stream", "conversation", "message")
"""The fields that name a thing."""
WORDS = {
    "request": ('"1"', '"2"', '"3"', '""', '"' + "x" * 201 + '"'),
    "text": ('"Why do tides lag the moon?"', '"\\u0000"', '" "', '"\\ud800"'),
    "model": ('"demo"', '"demo-fast"', '"no-such-model"', "null"),
}
OTHER_TYPES = ("chunk", "snapshot", "end", "bye", "__init__", "HELLO", "", "\\ud800", "x" * 500)
VALUES = (
    "null", "true", "false", "1e400", "-1e400", "NaN", "Infinity", "[]", "{}", '""', '"\\u0000"',
    '"\\ud800"', '"x"', '[{"a":[]}]', "-0", "1E2", "0.5", '"' + "\\udc00" * 36 + '"', "",
    '"' + "9" * 4_000 + '"', "9" * 4_200,
)  # fmt: skip
MAX_FRAME_CHARS = 4_096
NOISE = '{}[]",:ab\\u0\n\x01é🌊'


class SocketInputs:
    """Builds the frames of one seed. `own` and `foreign` are ids of streams."""

    def __init__(self, seed: int, own: Sequence[str], foreign: Sequence[str]) -> None:
        self.seed, self.own, self.foreign = seed, own, foreign

    def build(self, number: int) -> str | bytes:
        random = Random(f"{self.seed} {number}")
        kind = (*FIELDS,)[number % len(FIELDS)]
        chosen = random.random()
        if chosen < 0.6:
            return self._build_command(random, kind)
        if chosen < 0.7:
            return self._build_command(random, random.choice(OTHER_TYPES))
        if chosen < 0.8:
            command = self._build_command(random, kind)
            return command[: random.randrange(len(command) + 1)]
        if chosen < 0.86:
            return _build_nested(random)
        if chosen < 0.92:
            return "".join(random.choices(NOISE, k=random.randrange(60)))
        if chosen < 0.96:
            return random.choice(nasty.JSON)[:60_000]
        return random.choice((b"", nasty.pick_octets(random), random.randbytes(100), b'{"type":1}'))

    def _build_command(self, random: Random, kind: str) -> str:
        fields = [("type", json.dumps(kind) if kind in FIELDS else f'"{kind}"')]
        names = FIELDS.get(kind, ("stream", "after", "n"))
        fields += [(name, self._pick_value(random, name)) for name in names]
        if random.random() < 0.3:
            index = random.randrange(len(fields))
            fields[index] = (fields[index][0], random.choice(VALUES))
        if random.random() < 0.1:
            fields.pop(random.randrange(len(fields)))
        if random.random() < 0.1 and fields:
            fields.append((random.choice(fields)[0], random.choice(VALUES)))
        if random.random() < 0.05:
            fields.append(("x" * random.choice((1, 3_000, MAX_FRAME_CHARS)), "1"))
        random.shuffle(fields)
        return "{" + ",".join(f'"{name}":{value}' for name, value in fields) + "}"

    def _pick_value(self, random: Random, name: str) -> str:
        if name in WORDS:
            return random.choice(WORDS[name])
        if name not in NAMING:
            return random.choice(CURSORS)
        chosen = random.random()
        if chosen < 0.4:
            return f'"{random.choice(self.own)}"'
        if chosen < 0.8:
            return f'"{random.choice(self.foreign)}"'
        if chosen < 0.9:
            return f'"{UUID(int=random.getrandbits(128))}"'
        return f'"{random.choice(self.own)[:-1]}"'


def _build_nested(random: Random) -> str:
    depth = random.choice((10, 900, 1_100, 4_000))
    brackets = "[" * (depth // 2)
    closed = brackets + brackets.replace("[", "]")
    return random.choice(("[" * depth, closed, '{"type":' * (depth // 8), '"[' * depth))
