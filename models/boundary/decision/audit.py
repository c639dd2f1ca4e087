"""Which automatically decided cases are reviewed all the same?"""

from __future__ import annotations

import base64
import hashlib

import numpy as np
import numpy.typing as npt
import pandas as pd


def audit_key(secret: str, purpose: str) -> str:
    """The 16-character key of one purpose (a case type) from the deployment's secret."""
    return base64.b64encode(hashlib.sha256(f"{secret}|{purpose}".encode()).digest())[:16].decode()


def audit_purpose(case_type: str) -> str:
    """The purpose under which a case type's audits are drawn; see `audit_key`."""
    return f"audit|{case_type}"


def secret_check(secret: str, salt: str) -> str:
    """Text by which the deployment's secret is recognised, and from which it is not found.

    scrypt (Percival 2009) makes each guess cost what a start of a server may cost: some 50 ms.
    """
    found = hashlib.scrypt(secret.encode(), salt=salt.encode(), n=1 << 14, r=8, p=1, dklen=16)
    return found.hex()


def keyed_uniform(
    case_ids: pd.Series | npt.NDArray[np.object_], key: str
) -> npt.NDArray[np.float64]:
    """A number in [0, 1) per case id: reproducible with the key, not guessable without it.

    A keyed SipHash of the id (Aumasson and Bernstein 2012) as computed by pandas; no process's
    random state is involved, so a re-run draws the same cases (METHODS 2).

    Args:
        case_ids: text, shape (cases,).
        key: exactly 16 characters; see `audit_key`.

    Raises:
        ValueError: the key has another length.
    """
    if len(key.encode()) != 16:
        raise ValueError(
            f"the audit key must be 16 bytes long, got {len(key.encode())}; derive it with audit_key()"
        )
    ids = np.asarray(case_ids, dtype=object)
    hashed = pd.util.hash_array(ids, hash_key=key, categorize=False)
    # 53 bits, so that the quotient is an exact float64 below 1.
    return (hashed >> np.uint64(11)).astype(np.float64) / float(1 << 53)
