"""Keys and ID tokens of the fake OpenID server."""

from __future__ import annotations

import base64
import functools
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa


@functools.cache
def make_key(name: str) -> rsa.RSAPrivateKey:
    """The same key for the same name, because making one takes a while."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def publish_key(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        jwt.algorithms.RSAAlgorithm.to_jwk(make_key(name).public_key())
    )
    return document | {"kid": name, "use": "sig", "alg": "RS256"}


def sign_claims(claims: dict[str, Any], key_name: str, kid: str) -> str:
    return jwt.encode(claims, make_key(key_name), "RS256", headers={"kid": kid})


def leave_unsigned(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, "", "none")


def sign_with_secret(claims: dict[str, Any], secret: bytes, kid: str) -> str:
    return jwt.encode(claims, secret, "HS256", headers={"kid": kid})


def tamper(token: str, **changes: Any) -> str:
    """Change claims and keep the signature."""
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    text = json.dumps(claims | changes).encode()
    return f"{head}.{base64.urlsafe_b64encode(text).rstrip(b'=').decode()}.{signature}"
