"""With which key does a deployment sign its certificates?

Ed25519 (RFC 8032), so that whoever verifies holds nothing with which to sign. The private key is derived
from the audit secret, which every machine of a team has already; scrypt (Percival 2009) makes each guess
at the secret by the public key as dear as one by the ledger's check.
"""

from __future__ import annotations

import hashlib

from flows.adapters.ledger.certificate_verifier import BASE, ORDER, compressed, hashed, multiplied

_SALT = b"ratchet.certificate/1 signing key"


class CertificateKey:
    """The key pair of one audit secret."""

    def __init__(self, seed: bytes) -> None:
        """The pair of a private key (32 bytes)."""
        if len(seed) != 32:
            raise ValueError(f"a private key has 32 bytes, got {len(seed)}")
        digest = hashlib.sha512(seed).digest()
        low = int.from_bytes(digest[:32], "little")
        self._scalar = (low & (1 << 254) - 8) | 1 << 254
        self._prefix = digest[32:]
        self.public = compressed(multiplied(self._scalar, BASE))

    @classmethod
    def of_secret(cls, secret: str) -> CertificateKey:
        """The pair that an audit secret gives; the same on every machine that has it."""
        return cls(hashlib.scrypt(secret.encode(), salt=_SALT, n=1 << 14, r=8, p=1, dklen=32))

    def sign(self, message: bytes) -> bytes:
        """The signature of a message, 64 bytes; the same one each time."""
        nonce = hashed(self._prefix, message)
        half = compressed(multiplied(nonce, BASE))
        scalar = (nonce + hashed(half, self.public, message) * self._scalar) % ORDER
        return half + scalar.to_bytes(32, "little")
