"""How is a model named that is somebody else's, of which we hold a score and no file?"""

from __future__ import annotations

from models.hub.policies.canonical import canonical_json, sha256_of
from models.hub.policies.policy import Policy

SHADOW = "shadow"
"""In a generation's dossier: it scores in shadow, and another model's trial goes on beside it."""


def external_digest(case_type: str, version: str) -> str:
    """SHA-256 (hex) of what is known of another agent's model: that it is external, the case type
    and the version's name. It stands where our own models have the digest of their file."""
    told = {"case_type": case_type, "model_version": version, "scorer": "external"}
    return sha256_of(canonical_json(told))


def is_external(case_type: str, version: str | None, digest: str | None) -> bool:
    """Whether a model is another agent's: its digest is that of its name, so it has no file."""
    return version is not None and digest == external_digest(case_type, version)


def decides_elsewhere(policy: Policy) -> bool:
    """Whether a policy's boundary is about another agent's score."""
    return is_external(policy.case_type, policy.model_version, policy.model_digest)
