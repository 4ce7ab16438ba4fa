"""The channel layer on Redis, under seal: whoever has only Redis can neither read what is rung, nor
forge it, nor make a recorded bell count twice.

A message is the sender's id, a number, and what AES-256-GCM makes of the rest. Every process that
sends has a random id and a key derived from that id and SECRET_KEY, so its numbers, which only
rise, never meet another nonce. A receiver takes each number of a sender once and in order, and
nothing that was sent longer ago than it remembers senders. What it does not take is a lost bell,
which the database makes good within a second (docs/decisions/0011).
"""

from __future__ import annotations

import hmac
import logging
import os
import time
from functools import cache, lru_cache
from typing import Any

from channels_redis.pubsub import RedisPubSubChannelLayer
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

logger = logging.getLogger(__name__)

MAX_AGE_SECONDS = 120
"""How old a message may be, or how far ahead its sender's clock: clocks of hosts differ."""
MAX_SENDERS = 10_000
"""Senders a process remembers at most. Only those that know the key are remembered."""
WARNING_INTERVAL_SECONDS = 60.0
"""How often the log may say that messages were dropped, for each reason."""

SENDER_BYTES = 16
NUMBER_BYTES = 8
STAMP_BYTES = 8
NONCE_BYTES = 12

REASON_FOREIGN = (
    "does not open: another process has another SECRET_KEY, or somebody else writes to this Redis"
)
REASON_REPEATED = (
    "came twice or out of order: Redis, or somebody who writes to it, repeats messages"
)
REASON_STALE = (
    f"is more than {MAX_AGE_SECONDS} seconds old or from the future: the clocks of two hosts "
    "differ, or somebody repeats old messages"
)


class MessageRejected(Exception):
    """A message that must not count; says why."""


class Sealer:
    """Seals what this process sends, as one sender."""

    def __init__(self, secret: str) -> None:
        self._sender = os.urandom(SENDER_BYTES)
        self._cipher = _derive_cipher(secret, self._sender)
        self._number = 0
        self._stamp = 0

    def seal(self, message: bytes) -> bytes:
        """Costs about 3 µs for 3 KB."""
        self._number += 1
        # Never back, so that a later message is never older.
        self._stamp = max(self._stamp, time.time_ns())
        number = self._number.to_bytes(NUMBER_BYTES)
        body = self._stamp.to_bytes(STAMP_BYTES) + message
        return self._sender + number + self._cipher.encrypt(_build_nonce(number), body, None)


class Opener:
    """Opens what any process with the same secret has sealed, each message once."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._senders: dict[bytes, _SenderState] = {}

    def open(self, data: bytes) -> bytes:
        """The message. Raises Dropped for one that was not sealed with this secret, that was
        opened before or came after a newer one of its sender, or that is too old."""
        sender_id, data = data[:SENDER_BYTES], data[SENDER_BYTES:]
        number, sealed = data[:NUMBER_BYTES], data[NUMBER_BYTES:]
        sender = self._senders.get(sender_id) or _SenderState(self._secret, sender_id)
        try:
            body = sender.cipher.decrypt(_build_nonce(number), sealed, None)
        except (InvalidTag, ValueError):  # ValueError: too short to be a message at all
            raise MessageRejected(REASON_FOREIGN) from None
        stamp = int.from_bytes(body[:STAMP_BYTES])
        if abs(time.time_ns() - stamp) > MAX_AGE_SECONDS * 10**9:
            raise MessageRejected(REASON_STALE)
        if int.from_bytes(number) <= sender.last_number:
            raise MessageRejected(REASON_REPEATED)
        self._remember_sender(sender_id, sender)
        sender.last_number, sender.last_stamp = int.from_bytes(number), stamp
        return body[STAMP_BYTES:]

    def _remember_sender(self, sender_id: bytes, sender: _SenderState) -> None:
        """Only after its message has opened: strangers take no room. One is forgotten when all
        that it sent before is too old to open again."""
        if sender_id in self._senders:
            return
        long_ago = time.time_ns() - MAX_AGE_SECONDS * 10**9
        self._senders = {
            key: old for key, old in self._senders.items() if old.last_stamp >= long_ago
        }
        if len(self._senders) >= MAX_SENDERS:
            raise MessageRejected(REASON_STALE)
        self._senders[sender_id] = sender


class _SenderState:
    """What a receiver knows of one sender: its key, and where it stands."""

    def __init__(self, secret: str, sender_id: bytes) -> None:
        self.cipher = _derive_cipher(secret, sender_id)
        self.last_number = 0
        self.last_stamp = 0


class SealedLayer(RedisPubSubChannelLayer):
    """Redis's channel layer with every message sealed and every group's name hidden. `receive`
    gives None for a message that does not count."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sealer = Sealer(settings.SECRET_KEY)
        self._opener = Opener(settings.SECRET_KEY)
        self._rejected_counts: dict[str, int] = {}
        self._next_warning_at: dict[str, float] = {}

    def serialize(self, message: dict[str, Any]) -> bytes:
        return self._sealer.seal(super().serialize(message))

    def deserialize(self, message: bytes) -> dict[str, Any] | None:
        try:
            opened = self._opener.open(message)
        except MessageRejected as reason:
            self._log_rejected(str(reason))
            return None
        content: dict[str, Any] = super().deserialize(opened)
        return content

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        await self._get_layer().group_send(hash_group_name(group), message)

    async def group_add(self, group: str, channel: str) -> None:
        await self._get_layer().group_add(hash_group_name(group), channel)

    async def group_discard(self, group: str, channel: str) -> None:
        await self._get_layer().group_discard(hash_group_name(group), channel)

    def _log_rejected(self, reason: str) -> None:
        """At once for the first, then once in a while with their number: whoever floods Redis must
        not fill the log as well."""
        self._rejected_counts[reason] = self._rejected_counts.get(reason, 0) + 1
        if time.monotonic() < self._next_warning_at.get(reason, 0):
            return
        self._next_warning_at[reason] = time.monotonic() + WARNING_INTERVAL_SECONDS
        logger.warning(
            "Redis brought a message that %s. It was dropped (%d so far); new text is read from "
            "the database, up to a second later",
            reason,
            self._rejected_counts[reason],
        )


@lru_cache(maxsize=1_000)
def hash_group_name(group: str) -> str:
    """What a group is called at Redis: its name would say whose it is."""
    key = _derive_key(settings.SECRET_KEY, b"names")
    return hmac.digest(key, group.encode(), "sha256").hex()[:32]


def _derive_cipher(secret: str, sender_id: bytes) -> AESGCM:
    return AESGCM(hmac.digest(_derive_key(secret, b"messages"), sender_id, "sha256"))


@cache
def _derive_key(secret: str, purpose: bytes) -> bytes:
    info = b"holdfast channel layer, " + purpose
    return HKDF(SHA256(), length=32, salt=None, info=info).derive(secret.encode())


def _build_nonce(number: bytes) -> bytes:
    return number.rjust(NONCE_BYTES, b"\0")
