"""The signature of a delivery, by the scheme of Standard Webhooks: see docs/webhooks.md."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from django.views.decorators.debug import sensitive_variables

PREFIX = "whsec_"
RANDOM_BYTES = 32


def make_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(RANDOM_BYTES)).decode()


@sensitive_variables("secret", "key")
def build_headers(secret: str, id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """`timestamp` is that of the attempt, so that a receiver can refuse old ones."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{id}.{timestamp}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return {
        "Content-Type": "application/json",
        "User-Agent": "Holdfast",
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
