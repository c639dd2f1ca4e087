"""How does a policy leave the house as a folder that `mlflow models serve` runs on its own?"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from configs.errors import UserError
from configs.places import PROJECT
from flows.adapters.files.files import sync_folder
from flows.adapters.files.private_home import as_the_person
from models.boundary.decision.audit import secret_check
from models.hub.policies.canonical import canonical_json
from models.hub.policies.pinned import PinnedPolicy

_CODE = Path(__file__).parent / "served_policy.py"
_SOURCE = PROJECT / "models"
_LIBRARIES = ("mlflow", "numpy", "pandas", "psycopg", "scikit-learn", "scipy", "sqlalchemy")


def write_serving_folder(
    to: Path, pinned: PinnedPolicy, secret: str, ledger_head: tuple[int, str], now: datetime
) -> None:
    """Write the folder whole or not at all; it is read back once before it appears.

    It holds `models from code` for MLflow, our own source, and the pinned policy, model and costs,
    each with its digest. The audit secret stays outside: only what recognises it goes in; so does
    the ledger's address, of which the last entry's place and hash go in.

    Args:
        ledger_head: the place and the hash of the ledger's last entry.
        now: when the policy was seen live; nothing is decided before it.

    Raises:
        UserError: `to` is a file or a folder with something in it, or cannot be written.
    """
    with as_the_person():
        _write(to, pinned, secret, ledger_head, now)


def _write(
    to: Path, pinned: PinnedPolicy, secret: str, ledger_head: tuple[int, str], now: datetime
) -> None:
    refuse_occupied(to)
    to = to.resolve()
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(dir=to.parent, prefix=f".{to.name}.", suffix=".part"))
    except OSError as problem:
        raise UserError(
            f"{to.parent} cannot be written ({problem.strerror}); name another folder."
        ) from None
    try:
        _fill(half, pinned, secret, ledger_head, now)
        half.chmod(0o755 & ~_umask())
        half.replace(to)
    except OSError as problem:
        raise UserError(
            f"the folder could not be written ({problem.strerror}); {to} is as it was before."
        ) from None
    finally:
        shutil.rmtree(half, ignore_errors=True)
    sync_folder(to.parent)


def refuse_occupied(to: Path) -> None:
    """Raise UserError unless `to` is free: what stands there may be served at this moment."""
    if to.is_symlink() or (to.exists() and not to.is_dir()):
        raise UserError(f"{to} is a file; name a folder that does not exist yet.")
    if to.is_dir() and any(to.iterdir()):
        raise UserError(f"{to} is not empty; name a folder that does not exist yet, or empty it.")


def _fill(
    folder: Path, pinned: PinnedPolicy, secret: str, ledger_head: tuple[int, str], now: datetime
) -> None:
    _save_model(folder)
    from flows.adapters.mlflow import served_policy as served

    policy = pinned.policy
    case_type = canonical_json({"name": policy.case_type, "costs": asdict(pinned.costs)}).encode()
    pin = {
        "policy_id": policy.policy_id,
        "model_digest": policy.model_digest,
        "case_type_digest": hashlib.sha256(case_type).hexdigest(),
        "audit_secret_check": secret_check(secret, policy.policy_id),
        "exported_at": now,
        "ledger": {"seq": ledger_head[0], "hash": ledger_head[1]},
    }
    files = {
        served.POLICY_FILE: policy.canonical().encode(),
        served.MODEL_FILE: pinned.model.ubj,
        served.CASE_TYPE_FILE: case_type,
        served.PIN_FILE: canonical_json(pin).encode(),
    }
    (folder / "pinned").mkdir()
    for name, content in files.items():
        with (folder / "pinned" / name).open("wb") as file:
            file.write(content)
            os.fsync(file.fileno())
    served.read_pinned(folder / "pinned", {served.AUDIT_KEY_VARIABLE: secret})


def _save_model(folder: Path) -> None:
    import mlflow.pyfunc
    import xgboost
    from mlflow.models import Model

    libraries = [f"{name}=={version(name)}" for name in _LIBRARIES]
    with _no_advice():
        mlflow.pyfunc.save_model(
            path=str(folder),
            python_model=str(_CODE),
            code_paths=[str(_SOURCE)],
            # Given, not inferred: inferring them takes ten seconds.
            pip_requirements=[*libraries, f"xgboost=={xgboost.__version__}"],
        )
    written = Model.load(str(folder))
    # Relative to the folder: where the clone stands is nobody's affair.
    written.flavors[mlflow.pyfunc.FLAVOR_NAME]["model_code_path"] = _CODE.name
    written.save(str(folder / "MLmodel"))


@contextmanager
def _no_advice() -> Iterator[None]:
    """MLflow misses a signature; with one it would turn away a case that is to be escalated."""
    logger = logging.getLogger("mlflow.pyfunc")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found
