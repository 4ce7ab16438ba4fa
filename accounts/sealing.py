"""Encrypts secrets at rest with AES-256-GCM, bound to what they are for, so that a stolen or
swapped row can't be decrypted elsewhere. Only this module handles stored raw keys.

There may be several master keys, each with an id: the newest encrypts, and each decrypts its own.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from streaming.sentences import gettext_noop

MASTER_KEY_BYTES = 32
NONCE_BYTES = 12
MASTER_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


class MasterKeyError(ValueError):
    """The master keys of this installation can't be used. The message says which one and why, and
    never contains any part of it."""


class SealBroken(Exception):
    """A sealed key can't be decrypted: its master key is gone, or the row was moved or changed.
    Only its owner can help, by entering the key again."""

    user_message = gettext_noop(
        "This key can’t be decrypted any more. Please enter it again in settings."
    )

    def __init__(self) -> None:
        super().__init__(self.user_message)


class SharedSealBroken(SealBroken):
    """The same, of a key of the installation."""

    user_message = gettext_noop(
        "The API key of this installation can’t be decrypted any more. Ask your administrator to "
        "enter it again."
    )


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """An encrypted secret, for two columns or, as text, for one."""

    master_key_id: str
    ciphertext: bytes = field(repr=False)

    def to_text(self) -> str:
        return f"{self.master_key_id}:{base64.b64encode(self.ciphertext).decode()}"

    @classmethod
    def from_text(cls, text: str) -> SealedSecret:
        """Raises SealBroken for a text that no `to_text` has made."""
        id, colon, encoded = text.partition(":")
        try:
            if not colon:
                raise ValueError
            return cls(id, base64.b64decode(encoded, validate=True))
        except ValueError:
            raise SealBroken from None


def parse_master_keys(entries: Iterable[str], *, samples: Iterable[str] = ()) -> dict[str, bytes]:
    """Return the master keys by id, in the given order, from entries like `2026:<base64>`.

    Raises MasterKeyError if there is none, or if one is malformed, doubled, visibly not random, or
    one of the `samples`, whatever its id.
    """
    sample_keys = {_decode_text(sample.partition(":")[2]) for sample in samples}
    keys: dict[str, bytes] = {}
    for entry in filter(None, map(str.strip, entries)):
        id, colon, text = entry.partition(":")
        if not (colon and MASTER_KEY_ID.fullmatch(id)):
            raise MasterKeyError(
                'Each entry must look like "id:base64", the id made of A–Z, 0–9, - and _.'
            )
        if id in keys:
            raise MasterKeyError(f"The id {id!r} is there twice.")
        keys[id] = _decode_master_key(id, text)
        if keys[id] in sample_keys or _is_visibly_not_random(keys[id]):
            raise MasterKeyError(
                f"The key {id!r} is a sample. Set it to 32 random bytes, in base64."
            )
    if not keys:
        raise MasterKeyError('It is not set. Set it to "1:" and 32 random bytes in base64.')
    return keys


def _decode_master_key(id: str, text: str) -> bytes:
    key = _decode_text(text)
    if len(key) != MASTER_KEY_BYTES:
        raise MasterKeyError(f"The key {id!r} must be 32 random bytes, in base64.")
    return key


def _decode_text(text: str) -> bytes:
    """Empty if the text is no base64."""
    try:
        return base64.b64decode(text.strip().replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _is_visibly_not_random(key: bytes) -> bool:
    """Few different bytes, or a series such as 0, 1, 2 or the letters of the alphabet."""
    steps = {(after - before) % 256 for before, after in pairwise(key)}
    return len(set(key)) < MASTER_KEY_BYTES // 2 or len(steps) < MASTER_KEY_BYTES // 4


def has_same_key(keys: dict[str, bytes], secret: str) -> bool:
    """Return whether a secret is one of the master keys, as text or in base64."""
    values = {secret.encode(), _decode_text(secret.partition(":")[2]), _decode_text(secret)}
    return any(key in values for key in keys.values())


@sensitive_variables("secret")
def seal_secret(secret: str, *context: str | int) -> SealedSecret:
    """Encrypt a secret with the newest master key. The context says what it is, and whose: the
    secret can only be decrypted for the same one."""
    id, master = next(iter(settings.MASTER_KEYS.items()))
    nonce = os.urandom(NONCE_BYTES)
    body = AESGCM(master).encrypt(nonce, secret.encode(), _associated_data(context))
    return SealedSecret(id, nonce + body)


@sensitive_variables("master")
def open_sealed(sealed: SealedSecret, *context: str | int) -> str:
    """Return the secret. Raises SealBroken unless it was sealed for this context with a master key
    that still exists."""
    master = settings.MASTER_KEYS.get(sealed.master_key_id)
    if master is None:
        raise SealBroken
    nonce, body = sealed.ciphertext[:NONCE_BYTES], sealed.ciphertext[NONCE_BYTES:]
    try:
        return AESGCM(master).decrypt(nonce, body, _associated_data(context)).decode()
    except (InvalidTag, ValueError):  # ValueError: too short to be a sealed value
        raise SealBroken from None


def can_open(sealed: SealedSecret, *context: str | int) -> bool:
    """The id of a master key is not enough: a new one may have the id of one that was lost."""
    try:
        open_sealed(sealed, *context)
    except SealBroken:
        return False
    return True


def _associated_data(context: tuple[str | int, ...]) -> bytes:
    return json.dumps(context).encode()
