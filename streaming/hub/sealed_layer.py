"""The channel layer on Redis, encrypted: access to Redis alone is not enough to read messages,
forge them, or replay a recorded one.

A process sends with SECRET_KEY, and receives what was sent with it or with one of
SECRET_KEY_FALLBACKS, so processes of two keys work together.

A message is the sender's id, a number, and the rest encrypted with AES-256-GCM. Every process that
sends has a random id and a key derived from that id and SECRET_KEY. Its numbers only rise, so no
nonce is used twice. A receiver accepts each number of a sender once and in order, and no message
older than it remembers senders. A dropped message is a lost notification: followers read the text
from the database within a second (docs/decisions/0011).
"""

from __future__ import annotations

import hmac
import logging
import os
import time
from contextlib import suppress
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
"""How old a message may be, or how far its sender's clock may be ahead. Clocks of hosts differ."""
MAX_SENDERS = 10_000
"""Senders that a process remembers. It remembers only those that know the key."""
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
    """A message that must be dropped; the text gives the reason."""


class Sealer:
    """Encrypts the messages of this process, as one sender."""

    def __init__(self, secret: str) -> None:
        self._sender = os.urandom(SENDER_BYTES)
        self._cipher = _derive_cipher(secret, self._sender)
        self._number = 0
        self._stamp = 0

    def seal(self, message: bytes) -> bytes:
        """Costs about 3 µs for 3 KB."""
        self._number += 1
        # It never decreases, so that a later message is never older.
        self._stamp = max(self._stamp, time.time_ns())
        number = self._number.to_bytes(NUMBER_BYTES)
        body = self._stamp.to_bytes(STAMP_BYTES) + message
        return self._sender + number + self._cipher.encrypt(_build_nonce(number), body, None)


class Opener:
    """Decrypts messages of all processes with one of these secrets, each message once."""

    def __init__(self, *secrets: str) -> None:
        self._secrets = secrets
        self._senders: dict[bytes, _SenderState] = {}

    def open(self, data: bytes) -> bytes:
        """Raises MessageRejected if the message was sealed with no secret of these, was opened
        before, came after a newer one of its sender, or is too old."""
        sender_id, data = data[:SENDER_BYTES], data[SENDER_BYTES:]
        number, sealed = data[:NUMBER_BYTES], data[NUMBER_BYTES:]
        sender, body = self._decrypt(sender_id, number, sealed)
        stamp = int.from_bytes(body[:STAMP_BYTES])
        if abs(time.time_ns() - stamp) > MAX_AGE_SECONDS * 10**9:
            raise MessageRejected(REASON_STALE)
        if int.from_bytes(number) <= sender.last_number:
            raise MessageRejected(REASON_REPEATED)
        self._remember_sender(sender_id, sender)
        sender.last_number, sender.last_stamp = int.from_bytes(number), stamp
        return body[STAMP_BYTES:]

    def _decrypt(
        self, sender_id: bytes, number: bytes, sealed: bytes
    ) -> tuple[_SenderState, bytes]:
        known = self._senders.get(sender_id)
        senders = (
            [known] if known else (_SenderState(secret, sender_id) for secret in self._secrets)
        )
        for sender in senders:
            # ValueError: too short to be a message at all
            with suppress(InvalidTag, ValueError):
                return sender, sender.cipher.decrypt(_build_nonce(number), sealed, None)
        raise MessageRejected(REASON_FOREIGN)

    def _remember_sender(self, sender_id: bytes, sender: _SenderState) -> None:
        """Called only after a message was opened, so that strangers fill no memory. A sender is
        forgotten when all its messages are too old to be accepted."""
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
    """The key and the last number of one sender, as a receiver has them."""

    def __init__(self, secret: str, sender_id: bytes) -> None:
        self.cipher = _derive_cipher(secret, sender_id)
        self.last_number = 0
        self.last_stamp = 0


class SealedLayer(RedisPubSubChannelLayer):
    """Redis's channel layer with encrypted messages and hashed group names. `receive` returns None
    for a message that was dropped."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sealer = Sealer(settings.SECRET_KEY)
        self._secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
        self._opener = Opener(*self._secrets)
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

    # channels_redis makes these methods in `__getattr__`, so `super()` has none of them.

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        name = hash_group_name(group, self._secrets[0])
        await self.__getattr__("group_send")(name, message)

    async def group_add(self, group: str, channel: str) -> None:
        for secret in self._secrets:
            await self.__getattr__("group_add")(hash_group_name(group, secret), channel)

    async def group_discard(self, group: str, channel: str) -> None:
        for secret in self._secrets:
            await self.__getattr__("group_discard")(hash_group_name(group, secret), channel)

    def _log_rejected(self, reason: str) -> None:
        """Log the first one at once, then one line in a while with their number: a flood in Redis
        must not fill the log."""
        self._rejected_counts[reason] = self._rejected_counts.get(reason, 0) + 1
        if time.monotonic() < self._next_warning_at.get(reason, 0):
            return
        self._next_warning_at[reason] = time.monotonic() + WARNING_INTERVAL_SECONDS
        logger.warning(
            "Redis delivered a message that %s. It was dropped (%d so far); new text is read from "
            "the database, up to a second later",
            reason,
            self._rejected_counts[reason],
        )


@lru_cache(maxsize=1_000)
def hash_group_name(group: str, secret: str) -> str:
    """The plain name would reveal the user to Redis."""
    key = _derive_key(secret, b"names")
    return hmac.digest(key, group.encode(), "sha256").hex()[:32]


def _derive_cipher(secret: str, sender_id: bytes) -> AESGCM:
    return AESGCM(hmac.digest(_derive_key(secret, b"messages"), sender_id, "sha256"))


@cache
def _derive_key(secret: str, purpose: bytes) -> bytes:
    info = b"holdfast channel layer, " + purpose
    return HKDF(SHA256(), length=32, salt=None, info=info).derive(secret.encode())


def _build_nonce(number: bytes) -> bytes:
    return number.rjust(NONCE_BYTES, b"\0")
