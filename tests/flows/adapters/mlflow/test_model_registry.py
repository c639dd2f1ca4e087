"""The registry: bare files in, checked bytes out, and a plain word when MLflow is away."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import mlflow
import pytest

from configs.errors import GateRefused, ServiceUnreachable
from flows.adapters.mlflow.model_registry import MODEL_FILE, ModelRegistry
from tests.faults.hub import small_model

NAME = "small_case"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> ModelRegistry:
    """Two models registered by one run."""
    home = tmp_path_factory.mktemp("registry")
    registry = ModelRegistry(f"sqlite:///{home / 'mlflow.db'}", home / "artifacts", home / "models")
    with registry.run("retrain", NAME, "Two models."):
        for seed in (1, 2):
            registry.add_version(NAME, small_model(seed))
    return registry


def anew(registry: ModelRegistry) -> ModelRegistry:
    """The same registry with no model in memory, and no copy beside MLflow."""
    shutil.rmtree(registry.copies.folder, ignore_errors=True)
    return ModelRegistry(registry.tracking_uri, registry._artifacts, registry.copies.folder)


def test_a_version_is_one_bare_file_with_what_the_pages_show(registry: ModelRegistry) -> None:
    """The file's SHA-256 is the model's digest and stands as a tag; the sentence is for people."""
    client = mlflow.MlflowClient(registry.tracking_uri, registry.tracking_uri)
    version = client.get_model_version(NAME, "1")
    (file,) = Path(version.source.removeprefix("file://")).iterdir()
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert (file.name, digest) == (MODEL_FILE, small_model(1).digest)
    assert version.tags == {"digest": digest, "file": MODEL_FILE}
    assert version.description.startswith("10 trees on 2 features.")
    assert version.run_id


def test_two_models_of_one_run_do_not_overwrite_each_other(registry: ModelRegistry) -> None:
    """Each is loaded whole from what is stored, and scores as the fitted one."""
    again = anew(registry)
    for version, seed in (("1", 1), ("2", 2)):
        fitted = small_model(seed)
        loaded = again.load(NAME, version, fitted.digest)
        assert loaded == fitted
        assert loaded.booster.get_dump() == fitted.booster.get_dump()


def test_a_version_is_not_loaded_under_another_ones_digest(registry: ModelRegistry) -> None:
    """Both files are sound; the ledger's pair of version and digest is what counts."""
    with pytest.raises(GateRefused, match=r"version 1: its file has digest .* the ledger says"):
        anew(registry).load(NAME, "1", small_model(2).digest)


def test_the_same_bytes_keep_their_version_while_its_file_is_whole(tmp_path: Path) -> None:
    """A retrain that is asked for again after a kill registers nothing twice; a tag alone is no file."""
    registry = ModelRegistry(
        f"sqlite:///{tmp_path / 'm.db'}", tmp_path / "artifacts", tmp_path / "c"
    )
    for seed, version in ((1, "1"), (2, "2"), (1, "1")):
        with registry.run("retrain", NAME, "Once more."):
            assert registry.add_version(NAME, small_model(seed)).version == version
    place = registry.place_of(NAME, "1")
    assert place is not None
    place.write_bytes(b"other bytes")
    with registry.run("retrain", NAME, "The first one's file was changed."):
        assert registry.add_version(NAME, small_model(1)).version == "3"


@pytest.mark.parametrize("version", ["7", "not a number"])
def test_what_was_never_registered_is_a_refusal(registry: ModelRegistry, version: str) -> None:
    """A version and a case type that are not there; such a case type has no alias either."""
    with pytest.raises(GateRefused, match=f"MLflow has no {NAME} version {version}"):
        registry.check_files(NAME, version, "0" * 64)
    with pytest.raises(GateRefused, match="MLflow has no nothing version 1"):
        registry.check_files("nothing", "1", "0" * 64)
    with pytest.raises(GateRefused, match=f"has no version {version} that champion could name"):
        registry.point_alias(NAME, "champion", version)
    assert registry.aliases("nothing") == {}


def test_a_file_that_no_longer_parses_is_a_refusal(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes are the registered ones: the reader must have changed (a newer XGBoost)."""

    digest = small_model(1).digest

    def broken(ubj: bytes) -> None:
        raise ValueError("cannot read this")

    monkeypatch.setattr("flows.adapters.mlflow.model_registry.RiskModel.from_bytes", broken)
    with pytest.raises(GateRefused, match="Was XGBoost changed"):
        anew(registry).load(NAME, "1", digest)


def test_a_server_that_is_away_is_no_refusal(
    tmp_path: Path,
) -> None:
    """Nobody listens at this address: nothing is known about the model, good or bad."""
    away = ModelRegistry("http://127.0.0.1:9", tmp_path, tmp_path / "models")
    for asked in (
        lambda: away.load(NAME, "1", "0" * 64),
        lambda: away.aliases(NAME),
        lambda: away.point_alias(NAME, "champion", "1"),
        lambda: away.point_alias(NAME, "champion", None),
    ):
        with pytest.raises(ServiceUnreachable, match="MLflow does not answer"):
            asked()


def test_a_database_that_cannot_be_opened_is_no_refusal(tmp_path: Path) -> None:
    """A file stands where its folder should be."""
    (tmp_path / "mlflow").write_text("", encoding="utf-8")
    away = ModelRegistry(
        f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}", tmp_path, tmp_path / "models"
    )
    with pytest.raises(ServiceUnreachable, match="is not there"):
        away.aliases(NAME)
    with (
        pytest.raises(ServiceUnreachable, match="database cannot be opened"),
        ModelRegistry.in_home(tmp_path).run("retrain", NAME, "A run."),
    ):
        pytest.fail("there is no run")
