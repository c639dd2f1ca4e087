"""Two processes that promote, or promote and roll back, at the same moment, round after round."""

from flows.adapters.ledger.ledger import Ledger
from models.hub import Entry, Promote, RollBack, version_of
from tests.flows.adapters.racing import answers_of_two_processes
from tests.hub import Hub, a_policy
from tests.integration.postgres import _administer

STRETCHES, ROUNDS = 10, 20
"""Ten ledgers of twenty rounds: a command reads the whole ledger, and two hundred rounds on one would
take minutes."""
PATIENCE_SECONDS = 500.0


def places_on_sqlite(home):
    folders = [home / str(number) for number in range(STRETCHES)]
    return [(f"sqlite:///{one / 'ledger.db'}", one / "ledger.head") for one in folders]


def places_on_postgres(socket_folder, home):
    """New databases of a server of the tests' own; they go with it."""
    places = []
    for number in range(STRETCHES):
        name = f"race_{home.name}_{number}"
        _administer(socket_folder, f'CREATE DATABASE "{name}"')
        url = f"postgresql+psycopg://postgres@/{name}?host={socket_folder}"
        places.append((url, home / f"{number}.head"))
    return places


def opened(url, head_file):
    return Ledger(url, head_file, enrolled_only=False)


def two_promotions_race(places):
    """Two approved policies a round, promoted against one base.

    Args:
        places: the URL and the head file of each of `STRETCHES` new ledgers.
    """
    answers = answers_of_two_processes(_promoting, places, patience=PATIENCE_SECONDS)
    assert (answers.count("won"), answers.count("stale_base")) == (STRETCHES * ROUNDS,) * 2
    for place in places:
        ledger = opened(*place)
        kinds = [entry.kind for entry in ledger.history("ato")]
        assert kinds == ["proposed", "proposed", "approved", "approved", "promoted"] * ROUNDS
        assert [one.rule for one in ledger.refusals()] == ["stale_base"] * ROUNDS
        assert ledger.live_policy("ato").policy_id == ledger.history("ato")[-1].policy_id
        assert ledger.verify() == type(ledger.verify())(True)


def a_promotion_races_a_rollback(places):
    """A round's outcome is that of one command after the other, in one of two orders.

    Promoted first, the rollback undoes it; rolled back first, the approval was given against a
    policy that is gone, and the promotion is refused. Both are kept either way, and whoever came
    second was told so first ("stale base").
    """
    answers = answers_of_two_processes(_moving, places, patience=PATIENCE_SECONDS)
    told = {one[:3]: one[3:] for one in answers}
    assert len(told) == 2 * STRETCHES * ROUNDS
    for stretch, place in enumerate(places):
        ledger = opened(*place)
        moved = ledger.history("ato")[3:]
        for number in range(ROUNDS):
            both = [told[who, stretch, number] for who in ("promote", "rollback")]
            moved = moved[_serial(moved, *both) :]
        assert moved == ()
        refused = [one.rule for one in ledger.refusals()]
        assert refused.count("stale_base") == ROUNDS
        assert refused.count("promote_needs_approval") == len(refused) - ROUNDS
        assert ledger.verify() == type(ledger.verify())(True)


def _serial(moved, promoted, rolled):
    """How many entries a round left, which must be those of one order or the other."""
    prepared = ["proposed", "approved", "promoted", "proposed", "approved"]
    kinds, policies = ([getattr(one, name) for one in moved[:7]] for name in ("kind", "policy_id"))
    assert kinds[:5] == prepared
    if promoted == ("won",):
        assert rolled == ("stale_base", "won")
        assert kinds[5:] == ["promoted", "rolled_back"]
        assert policies[5:] == [policies[4], policies[2]]
        return 7
    assert (promoted, rolled) == (("stale_base", "promote_needs_approval"), ("won",))
    assert kinds[5] == "rolled_back"
    return 6


def _promoting(places, who, wait):
    for place in places:
        wait()
        hub = Hub(opened(*place))
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


def _moving(places, who, wait):
    for stretch, place in enumerate(places):
        wait()
        hub = Hub(opened(*place))
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
            name, kind = (("promote", Promote), ("rollback", RollBack))[who]
            told = {"policy_id": policy.policy_id} if kind is Promote else {}
            answers = [_said(hub.ask(kind, base_version=base, **told))]
            if answers == ["stale_base"]:
                answers.append(_said(hub.ask(kind, **told)))
            yield (name, stretch, number, *answers)
            wait()


def _policy(number):
    """Another policy for each number up to some thousand."""
    return a_policy(0.0001 * (number + 1), 0.9)


def _said(answer):
    return "won" if isinstance(answer, Entry) else str(answer.rule)
