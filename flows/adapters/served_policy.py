"""What answers when `mlflow models serve` runs on an exported folder?

MLflow runs a copy of this file as the model's code. Beside the copy stand `code/models` (our own
source, so that the folder needs no clone) and `pinned/`: the policy, its model's bytes, the case
type's costs and the digests of all three. Nothing in the folder is a pickle.

A served folder hears nothing of the ledger: a halt, an A/B, a roll-back or a promotion after the
export cannot reach it. It must be stopped and exported again. Only the certificate's expiry is its
own affair: from then on it sends everything to a person.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import BAD_REQUEST
from mlflow.pyfunc.model import PythonModel

from models.boundary.audit import audit_key, audit_purpose, secret_check
from models.hub.pinned import PinnedPolicy
from models.vocabulary import Costs

AUDIT_KEY_VARIABLE = "RATCHET_AUDIT_KEY"
MODEL_FILE, POLICY_FILE, CASE_TYPE_FILE, PIN_FILE = (
    "model.ubj",
    "policy.json",
    "case_type.json",
    "pin.json",
)


class ServedPolicy(PythonModel):
    """One pinned policy behind MLflow's scoring protocol."""

    def load_context(self, context: Any) -> None:
        """Read what is pinned, or refuse to start (ValueError; see `read_pinned`)."""
        self._pinned = read_pinned(Path(__file__).parent / "pinned", os.environ)
        self._pinned.model.lookup  # noqa: B018  tabulated now, not under the first case

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """One answer a case, as plain values; see `PinnedPolicy.answers`.

        Raises:
            Malformed: no table was sent, or one that holds no cases of this type.
        """
        if not isinstance(model_input, pd.DataFrame):
            raise Malformed("send the cases as a table: dataframe_records or dataframe_split")
        try:
            return self._pinned.answers(model_input, datetime.now(UTC))
        except ValueError as wrong:
            raise Malformed(f"{wrong}.") from None


class Malformed(MlflowException):
    """What was sent cannot be read as cases; the sentence says what, and no case is quoted."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, error_code=BAD_REQUEST)
        self._sentence = sentence

    def serialize_as_json(self) -> str:
        """MLflow puts every row that was sent before the message; only the sentence goes out."""
        return json.dumps({"error_code": self.error_code, "message": self._sentence})


def read_pinned(folder: Path, environment: Mapping[str, str]) -> PinnedPolicy:
    """The policy in a folder, with every file checked against the pin before it is read.

    Raises:
        ValueError: the audit secret is not given or is another deployment's, or a file is missing
            or not the one that was exported.
    """
    secret = environment.get(AUDIT_KEY_VARIABLE)
    if not secret:
        raise ValueError(
            f"{AUDIT_KEY_VARIABLE} is not set, so nobody could tell which decisions are audited. Set "
            "it to the secret of the home that exported this folder (its audit.key)."
        )
    pin = json.loads(_content(folder, PIN_FILE))
    told = _content(folder, CASE_TYPE_FILE)
    if hashlib.sha256(told).hexdigest() != pin["case_type_digest"]:
        raise ValueError(f"{CASE_TYPE_FILE} was changed after the export. Export the policy again.")
    if secret_check(secret, pin["policy_id"]) != pin["audit_secret_check"]:
        raise ValueError(
            f"{AUDIT_KEY_VARIABLE} is not the secret of the home that exported this folder, so other "
            "cases would be audited than there. Set it to that home's (its audit.key)."
        )
    case_type = json.loads(told)
    return PinnedPolicy.checked(
        policy_id=pin["policy_id"],
        policy_text=_content(folder, POLICY_FILE).decode("utf-8", errors="replace"),
        ubj=_content(folder, MODEL_FILE),
        costs=Costs(**case_type["costs"]),
        key=audit_key(secret, audit_purpose(case_type["name"])),
    )


def _content(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as problem:
        raise ValueError(
            f"{name} cannot be read ({type(problem).__name__}). Export the policy again."
        ) from None


set_model(ServedPolicy())
