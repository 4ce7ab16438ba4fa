"""Verifies ID tokens: the statement of an OpenID server that a person signed in there just now.

allauth skips the signature of a token that came straight from the server. Here everything is
checked, whatever way it came.
"""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass
from typing import Any

import jwt
from django.views.decorators.debug import sensitive_variables

from accounts.social.failures import SignInFailed
from accounts.social.openid_documents import load_keys

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""With public keys only. A shared secret or no signature at all is refused."""
LEEWAY_SECONDS = 60
MAX_AGE_SECONDS = 10 * 60
REQUIRED_CLAIMS = ["iss", "sub", "aud", "exp", "iat"]


@dataclass(frozen=True, slots=True)
class Expectation:
    """The values that a token must have."""

    issuer: str
    client_id: str
    nonce: str
    keys_url: str


@sensitive_variables("token")
def verify_id_token(token: str, expected: Expectation) -> dict[str, Any]:
    """Return the claims. Raises SignInFailed, and GuardedRequestFailed if the keys can't be
    loaded."""
    try:
        key = _find_key(token, expected.keys_url)
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=[key.algorithm_name],
            issuer=expected.issuer,
            audience=expected.client_id,
            leeway=LEEWAY_SECONDS,
            options={"require": REQUIRED_CLAIMS},
        )
    except jwt.PyJWTError as error:
        raise SignInFailed(f"The ID token is not valid ({type(error).__name__}).") from error
    _check_claims(claims, expected)
    return claims


def _find_key(token: str, url: str) -> jwt.PyJWK:
    header = jwt.get_unverified_header(token)
    if header.get("alg") not in ALGORITHMS:
        raise SignInFailed("The ID token is signed in a way that is not accepted.")
    for reload in (False, True):
        keys = jwt.PyJWKSet.from_dict(load_keys(url, reload=reload)).keys
        found = [key for key in keys if _fits(key, header)]
        if len(found) == 1:
            return found[0]
    raise SignInFailed("The ID token is signed with a key that the server does not publish.")


def _fits(key: jwt.PyJWK, header: dict[str, Any]) -> bool:
    """A server with one key need not name it."""
    return (
        key.algorithm_name == header["alg"]
        and key.public_key_use in (None, "sig")
        and header.get("kid", key.key_id) == key.key_id
    )


def _check_claims(claims: dict[str, Any], expected: Expectation) -> None:
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(
        nonce.encode(), expected.nonce.encode()
    ):
        raise SignInFailed("The ID token is for another sign-in.")
    audience = claims["aud"]
    is_shared = isinstance(audience, list) and len(audience) > 1
    if claims.get("azp", None if is_shared else expected.client_id) != expected.client_id:
        raise SignInFailed("The ID token was issued to another client.")
    if claims["iat"] < time.time() - MAX_AGE_SECONDS:
        raise SignInFailed("The ID token is too old.")
