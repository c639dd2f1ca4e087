"""By which secret were audits drawn at a moment, and who may change it?"""

from datetime import timedelta

import pytest

from models.hub import AUDIT_SECRET, Enrol, Halt, epoch_at, secret_epochs
from tests.hub import TOKEN, Hub, a_team, entered, rule

HOUR = timedelta(hours=1)


def test_the_first_draw_tells_the_secret_and_a_person_changes_it():
    """Each secret covers its time; the first one also what was drawn before."""
    hub = a_team()
    first = entered(hub.record_secret())
    second = entered(hub.rotate_secret(actor="cai"))
    epochs = secret_epochs(hub.history)
    assert [(one.number, one.check) for one in epochs] == [(1, "0" * 32), (2, "1" * 32)]
    assert epoch_at(epochs, first.at - 9 * HOUR).number == 1
    assert epoch_at(epochs, second.at - HOUR).number == 1
    assert epoch_at(epochs, second.at).number == 2
    assert (second.case_type, second.dossier["reason"]) == (AUDIT_SECRET, "somebody left")


def test_it_is_told_once_and_never_taken_back():
    """An older secret may be known to those for whose sake it was changed."""
    hub = a_team()
    hub.record_secret()
    assert rule(hub.record_secret("5" * 32)) == "secret_is_recorded"
    entered(hub.rotate_secret())
    assert rule(hub.rotate_secret("0" * 32)) == "secret_is_another"
    assert rule(hub.rotate_secret("2" * 32, reason=" ")) == "reason_is_given"
    assert rule(hub.rotate_secret("2" * 32, actor="dee")) == "role_permits"


def test_a_check_that_could_reveal_its_secret_is_refused():
    hub = Hub()
    with pytest.raises(ValueError, match="32 lower-case hex"):
        hub.record_secret("a secret")
    command = entered(hub.record_secret())
    assert command.dossier["salt"] == "s" * 32


@pytest.mark.parametrize(
    "name", [AUDIT_SECRET, "@AUDIT_SECRET", "\uff20audit_secret", "@p\u0435ople"]
)
def test_no_case_type_has_the_name_of_a_history_apart(name):
    """Nor one that a reader could take for it."""
    hub = Hub()
    assert rule(hub.ask(Halt, case_type=name, reason="a test")) in (
        "secret_stands_apart",
        "people_stand_apart",
    )


def test_nothing_about_the_secret_stands_elsewhere():
    hub = a_team()
    told = {"name": "fay", "roles": ("approver",), "token_digest": TOKEN}
    assert rule(hub.ask(Enrol, case_type=AUDIT_SECRET, **told)) == "people_stand_apart"
