"""A passkey in software: it creates and signs as a browser's authenticator does, and can lie."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)

ORIGIN = "http://localhost"
FLAG = AuthenticatorData.FLAG


@dataclass
class SoftwarePasskey:
    """`is_verified`: whether the user's finger or PIN was checked."""

    origin: str = ORIGIN
    is_verified: bool = True
    is_framed: bool = False
    user_handle: str = ""
    id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def create(self, options: dict[str, Any]) -> str:
        public = options["publicKey"]
        self.user_handle = public["user"]["id"]
        client_data = self._describe(CollectedClientData.TYPE.CREATE, public["challenge"])
        stored = AttestedCredentialData.create(
            b"\0" * 16, self.id, ES256.from_cryptography_key(self.key.public_key())
        )
        auth_data = self._build_auth_data(public["rp"]["id"], FLAG.AT, stored)
        attestation = AttestationObject.create("none", auth_data, {})
        return self._serialize(clientDataJSON=client_data, attestationObject=attestation)

    def use(self, options: dict[str, Any]) -> str:
        public = options["publicKey"]
        client_data = self._describe(CollectedClientData.TYPE.GET, public["challenge"])
        auth_data = self._build_auth_data(public["rpId"], FLAG(0), b"")
        signature = self.key.sign(auth_data + client_data.hash, ec.ECDSA(hashes.SHA256()))
        return self._serialize(
            clientDataJSON=client_data, authenticatorData=auth_data, signature=signature
        )

    def _describe(self, type: str, challenge: str) -> CollectedClientData:
        return CollectedClientData.create(type, challenge, self.origin, self.is_framed)

    def _build_auth_data(self, host: str, flags: FLAG, stored: bytes) -> AuthenticatorData:
        flags |= FLAG.UP | (FLAG.UV if self.is_verified else FLAG(0))
        return AuthenticatorData.create(hashlib.sha256(host.encode()).digest(), flags, 1, stored)

    def _serialize(self, **response: bytes) -> str:
        encoded = {name: websafe_encode(value) for name, value in response.items()}
        return json.dumps(
            {
                "id": websafe_encode(self.id),
                "rawId": websafe_encode(self.id),
                "type": "public-key",
                "response": encoded | {"userHandle": self.user_handle},
                "clientExtensionResults": {},
            }
        )
