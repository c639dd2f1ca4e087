"""Two processes that promote, or promote and roll back, at the same moment, round after round."""

from flows.adapters.ledger import Ledger
from models.hub import Entry, Promote, RollBack, version_of
from tests.flows.adapters.racing import answers_of_two_processes
from tests.hub import Hub, a_policy

ROUNDS = 200
PATIENCE_SECONDS = 240.0


def opened(url, head_file):
    return Ledger(url, head_file, enrolled_only=False)


def two_promotions_race(url, head_file):
    """Two approved policies a round, promoted against one base."""
    answers = answers_of_two_processes(_promoting, url, head_file, patience=PATIENCE_SECONDS)
    assert (answers.count("won"), answers.count("stale_base")) == (ROUNDS, ROUNDS)
    ledger = opened(url, head_file)
    kinds = [entry.kind for entry in ledger.history("ato")]
    assert kinds == ["proposed", "proposed", "approved", "approved", "promoted"] * ROUNDS
    assert [one.rule for one in ledger.refusals()] == ["stale_base"] * ROUNDS
    assert ledger.live_policy("ato").policy_id == ledger.history("ato")[-1].policy_id
    assert ledger.verify() == type(ledger.verify())(True)


def a_promotion_races_a_rollback(url, head_file):
    """A round's outcome is that of one command after the other, in one of two orders.

    Promoted first, the rollback undoes it; rolled back first, the approval was given against a
    policy that is gone, and the promotion is refused. Both are kept either way, and whoever came
    second was told so first ("stale base").
    """
    answers = answers_of_two_processes(_moving, url, head_file, patience=PATIENCE_SECONDS)
    promotions, rollbacks = answers[:ROUNDS], answers[ROUNDS:]
    if promotions[0][0] != "promote":
        promotions, rollbacks = rollbacks, promotions
    ledger = opened(url, head_file)
    moved, hub = ledger.history("ato")[3:], Hub(ledger)
    for (_, *promoted), (_, *rolled) in zip(promotions, rollbacks, strict=True):
        assert [one.kind for one in moved[:5]] == [*_MADE_LIVE, "proposed", "approved"]
        before, after = moved[2], moved[4]
        if promoted == ["won"]:
            assert rolled == ["stale_base", "won"]
            assert [one.kind for one in moved[5:7]] == ["promoted", "rolled_back"]
            assert [one.policy_id for one in moved[5:7]] == [after.policy_id, before.policy_id]
        else:
            assert (promoted, rolled) == (["stale_base", "promote_needs_approval"], ["won"])
            assert moved[5].kind == "rolled_back"
        moved = moved[7:] if promoted == ["won"] else moved[6:]
    assert moved == ()
    refused = [one.rule for one in ledger.refusals()]
    assert refused.count("stale_base") == ROUNDS
    assert refused.count("promote_needs_approval") == len(refused) - ROUNDS
    assert ledger.verify() == type(ledger.verify())(True)
    assert hub.live() is not None


_MADE_LIVE = ["proposed", "approved", "promoted"]


def _policy(number):
    """Another policy for each number up to some thousand."""
    return a_policy(0.0001 * (number + 1), 0.9)


def _promoting(url, head_file, who, wait):
    wait()
    hub = Hub(opened(url, head_file))
    for number in range(ROUNDS):
        both = [_policy(2 * number), _policy(2 * number + 1)]
        if who == 0:
            for policy in both:
                hub.propose(policy)
            for policy in both:
                hub.approve(policy)
        wait()
        yield _said(hub.promote(both[who], base_version=5 * number + 4))
        wait()


def _moving(url, head_file, who, wait):
    wait()
    hub = Hub(opened(url, head_file))
    if who == 0:
        hub.make_live(_policy(0))
    for number in range(ROUNDS):
        policy = _policy(2 * number + 2)
        if who == 0:
            hub.make_live(_policy(2 * number + 1))
            hub.propose(policy)
            hub.approve(policy)
        wait()
        base = version_of(hub.history, "ato")
        wait()
        kind, told = (Promote, {"policy_id": policy.policy_id}) if who == 0 else (RollBack, {})
        answers = [_said(hub.ask(kind, base_version=base, **told))]
        if answers == ["stale_base"]:
            answers.append(_said(hub.ask(kind, **told)))
        yield ["promote" if who == 0 else "rollback", *answers]
        wait()


def _said(answer):
    return "won" if isinstance(answer, Entry) else str(answer.rule)
