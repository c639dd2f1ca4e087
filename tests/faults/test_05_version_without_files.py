"""A model version without files, or with some missing: refused before approval (FAULTS 5).

Injected: files of a registered version are deleted, emptied or replaced on disk.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from configs.errors import GateRefused
from flows.verbs.govern.promote import approve_and_promote
from models.hub.record.entries import EntryKind
from tests.faults.hub import CHALLENGER, NAME, NOW, Hub, propose, register, small_model


def _file_gone(hub: Hub) -> None:
    hub.file(CHALLENGER).unlink()


def _folder_gone(hub: Hub) -> None:
    shutil.rmtree(hub.folder(CHALLENGER))


def _folder_instead(hub: Hub) -> None:
    hub.file(CHALLENGER).unlink()
    hub.file(CHALLENGER).mkdir()


def _empty(hub: Hub) -> None:
    hub.file(CHALLENGER).write_bytes(b"")


def _another(hub: Hub) -> None:
    hub.file(CHALLENGER).write_bytes(small_model(4).ubj)


def _version_gone(hub: Hub) -> None:
    hub.client.delete_model_version(NAME, CHALLENGER)


FAULTS: dict[str, tuple[Callable[[Hub], None], str]] = {
    "the file is gone": (_file_gone, "has no model.ubj: "),
    "the folder is gone": (_folder_gone, "the folder .* cannot be read"),
    "a folder instead": (_folder_instead, "holds model.ubj/, and nobody registered that"),
    "an empty file": (_empty, "its file has digest e3b0c44298fc"),  # SHA-256 of no byte at all
    "another model": (_another, "its file has digest"),
    "the version is gone": (_version_gone, "MLflow has no small_case version 3"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_version_whose_files_are_not_there_is_refused_before_approval(
    hub: Hub, fault: str
) -> None:
    """Nothing was approved or promoted, the live policy decides on, and an alert names the version."""
    inject, said = FAULTS[fault]
    proposed = propose(hub.services)
    before, live = hub.services.ledger.history(NAME), hub.services.ledger.live_policy(NAME)
    inject(hub)
    with pytest.raises(GateRefused, match=said) as refused:
        approve_and_promote(hub.started_anew().services, NAME, proposed.policy_id, "ben", NOW)
    assert hub.services.ledger.history(NAME) == before
    assert hub.services.ledger.live_policy(NAME) == live
    ((kind, sentence),) = hub.alerts()
    assert kind == "model_files_refused"
    assert f"{NAME} version {CHALLENGER}" in str(refused.value)
    assert str(refused.value) in sentence


def test_a_model_in_memory_does_not_hide_that_its_file_is_gone(hub: Hub) -> None:
    """The desk that fitted the model approves as little as any other."""
    register(hub.services, small_model(4))
    proposed = propose(hub.services)
    hub.file("4").unlink()
    assert hub.services.registry.load(NAME, "4", hub.digest("4"))  # it can still decide here
    with pytest.raises(GateRefused, match=r"has no model\.ubj"):
        approve_and_promote(hub.services, NAME, proposed.policy_id, "ben", NOW)


def test_the_same_proposal_is_approved_once_its_file_is_back(hub: Hub) -> None:
    """The refusals above could not fail otherwise."""
    proposed, content = propose(hub.services), hub.file(CHALLENGER).read_bytes()
    hub.file(CHALLENGER).unlink()
    with pytest.raises(GateRefused):
        approve_and_promote(hub.services, NAME, proposed.policy_id, "ben", NOW)
    hub.file(CHALLENGER).write_bytes(content)
    promoted = approve_and_promote(hub.services, NAME, proposed.policy_id, "ben", NOW)
    assert promoted.kind is EntryKind.PROMOTED
