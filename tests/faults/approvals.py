"""Approvals that must not count, tried on a ledger that asks for roles."""

from models.hub import dossier_digest
from tests.hub import (
    EVIDENCE,
    MIDDLE,
    OTHER_EVIDENCE,
    THIN,
    Hub,
    a_team,
    entered,
    rule,
)


def own_approval(hub: Hub, name: str):
    """ana, who may approve, approves what she proposed, under some spelling of her name."""
    hub.propose(THIN)
    return hub.approve(THIN, actor=name)


def on_other_evidence(hub: Hub):
    hub.propose(THIN)
    return hub.approve(THIN, evidence=OTHER_EVIDENCE)


def on_another_dossier(hub: Hub):
    """Read with a recall of .99; withdrawn, and filed again with .90."""
    read = dossier_digest(entered(hub.propose(THIN, dossier={"recall": 0.99})))
    hub.refuse(THIN, actor="ben")
    hub.propose(THIN, dossier={"recall": 0.90})
    return hub.approve(THIN, dossier=read)


def of_another_policy(hub: Hub):
    """What was read of THIN does not approve MIDDLE."""
    read = dossier_digest(entered(hub.propose(THIN, dossier={"of": "thin"})))
    hub.propose(MIDDLE, dossier={"of": "middle"})
    return hub.approve(MIDDLE, dossier=read)


def on_a_later_proposal(hub: Hub):
    """Approved, withdrawn, proposed on new evidence; the old approval is given again."""
    hub.propose(THIN)
    hub.approve(THIN)
    hub.refuse(THIN, actor="ben")
    hub.propose(THIN, evidence=OTHER_EVIDENCE)
    return hub.approve(THIN, evidence=EVIDENCE)


def after_a_rollback(hub: Hub):
    """MIDDLE was approved and live once; rolled back, its approval is spent."""
    hub.make_live(THIN)
    hub.make_live(MIDDLE)
    hub.roll_back()
    return hub.approve(MIDDLE)


def the_same_message_again(hub: Hub):
    """The very command that approved THIN, delivered a second time."""
    hub.propose(THIN)
    base = hub.history[-1].version
    entered(hub.approve(THIN))
    return hub.approve(THIN, base_version=base)


def by_an_operator(hub: Hub):
    hub.propose(THIN)
    return hub.approve(THIN, actor="cai")


def by_nobody_we_know(hub: Hub):
    hub.propose(THIN)
    return hub.approve(THIN, actor="eve")


REPLAYS = {
    on_other_evidence: "approval_binds_to_evidence",
    on_another_dossier: "approval_binds_to_dossier",
    of_another_policy: "approval_binds_to_dossier",
    on_a_later_proposal: "approval_binds_to_evidence",
    after_a_rollback: "nothing_to_approve",
    the_same_message_again: "stale_base",
    by_an_operator: "role_permits",
    by_nobody_we_know: "actor_is_enrolled",
}

SPELLINGS = ["ana", " Ana ", "ANA", "\u00e1na", "\uff41\uff4e\uff41", "\u0430na", "a\u200bna"]
"""As typed, with blanks, in capitals, accented, full width, with a Cyrillic a, with an invisible sign."""


def is_refused_and_kept(ledger, attempt, named):
    """The rule's name, nothing new in the ledger, and who asked for what, when, beside it."""
    hub = a_team(ledger)
    answer = attempt(hub)
    assert rule(answer) == named
    kept = ledger.refusals("ato")[-1]
    assert (kept.rule, kept.reason, kept.at) == (named, answer.reason, hub.now)
    assert kept.command["command"] == "Approve"
    assert kept.command["actor"] == kept.actor
    assert all(entry.at < hub.now for entry in hub.history)  # each command is an hour later
    assert ledger.verify() == type(ledger.verify())(True)
    return kept
