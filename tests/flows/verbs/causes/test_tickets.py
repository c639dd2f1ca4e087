"""One ticket a pattern from night to night, and one event a pattern and generation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from configs.errors import UserError
from flows.reports.words.tickets import tickets_sentence, tickets_table
from flows.verbs.causes.answers import record_announced
from flows.verbs.causes.tickets import file_findings, open_tickets, tickets, to_announce, to_answer
from flows.verbs.services import Services
from models.hub import StartGeneration
from models.vocabulary import FeedbackPath, Finding
from tests.builders import small_settings
from tests.findings import UNSUPPORTED, a_finding
from tests.flows.adapters.ledger_scenarios import make_live

FIRST = datetime(2026, 5, 4, 2, tzinfo=UTC)


def night(number: int) -> datetime:
    """02:00 in UTC; night 1 is the 4th of May."""
    return FIRST + timedelta(days=number - 1)


@pytest.fixture
def services(tmp_path: Path) -> Services:
    settings = small_settings()
    return Services.at(tmp_path, settings, settings.load_case_types(), seed=3)


def start_generation(
    services: Services, at: datetime, answers: list[str] | None = None, digest: str = "a" * 64
) -> None:
    """What a retrain writes into the ledger."""
    entries = services.ledger.history("ato")
    number = len([one for one in entries if one.kind == "generation_started"]) + 1
    command = StartGeneration(
        case_type="ato",
        model_digest=digest,
        actor="retrain",
        base_version=entries[-1].version if entries else 0,
        dossier={
            "model_version": str(number),
            "trained_before": at.isoformat(),
            "lineage": {"answers": answers or []},
        },
    )
    assert services.ledger.submit(command, at).kind == "generation_started"


def announce(services: Services, findings: list[Finding], as_of: datetime) -> list[str]:
    """A night's announcement without a server: decide and write down."""
    due = to_announce(services.ledger, services.store, services.case_types, findings, as_of)
    record_announced(services.ledger, services.store, due, as_of)
    return [one.subject for one in due]


def test_three_nights_make_one_ticket_a_pattern_with_the_latest_figures(services: Services) -> None:
    """At stake by night: typing_rhythm_distance $3,600, $3,900, -; new_device -, $50, $60."""
    file_findings(services.store, [a_finding(errors=120, money_usd=3_600.0)], night(1))
    both = [a_finding(errors=130, money_usd=3_900.0), a_finding("new_device", money_usd=50.0)]
    file_findings(services.store, both, night(2))
    file_findings(services.store, [a_finding("new_device", money_usd=60.0)], night(3))

    told = tickets(services)
    seen = ("subject", "first_seen", "last_seen", "nights", "errors", "money_usd", "status")
    assert [tuple(one[name] for name in seen) for one in told] == [
        ("typing_rhythm_distance", "2026-05-04", "2026-05-05", 2, 130, 3_900.0, "open"),
        ("new_device", "2026-05-05", "2026-05-06", 2, 120, 60.0, "open"),
    ]


def test_a_ticket_says_what_its_finding_said(services: Services) -> None:
    """Every field of the finding comes back, nested ones as they were."""
    finding = a_finding()
    file_findings(services.store, [finding], night(1))
    (one,) = tickets(services)
    assert {name: one[name] for name in finding.plain()} == finding.plain()
    assert (one["fired_at"], one["answered_by"]) == (None, None)


def test_the_same_night_again_changes_nothing(services: Services) -> None:
    """Also hours later on the same date, and not one row more in the store."""
    findings = [a_finding(), a_finding("new_device", counterfactual=None)]
    file_findings(services.store, findings, night(1))
    before = (
        tickets(services),
        services.store.digest("findings"),
        services.store.digest("triage_nights"),
    )
    file_findings(services.store, findings, night(1))
    file_findings(services.store, findings[::-1], night(1) + timedelta(hours=9))
    assert before == (
        tickets(services),
        services.store.digest("findings"),
        services.store.digest("triage_nights"),
    )


def test_the_later_arrival_of_a_night_counts_also_when_it_says_the_first_again(
    services: Services,
) -> None:
    """120 errors, then 130, then 120 after all."""
    for errors in (120, 130, 120):
        file_findings(services.store, [a_finding(errors=errors)], night(1))
        (one,) = tickets(services)
        assert (one["errors"], one["nights"]) == (errors, 1)


def test_a_pattern_that_a_later_run_of_the_night_does_not_find_is_withdrawn(
    services: Services,
) -> None:
    """It was found on night 1, by mistake on night 2, and once more in a third run of night 2."""
    both = [a_finding(), a_finding("new_device")]
    file_findings(services.store, both, night(1))
    file_findings(services.store, both, night(2))
    file_findings(services.store, both[:1], night(2))
    assert {one["subject"]: one["nights"] for one in tickets(services)} == {
        "typing_rhythm_distance": 2,
        "new_device": 1,
    }
    file_findings(services.store, both, night(2))
    assert [one["nights"] for one in tickets(services)] == [2, 2]


def test_a_read_as_of_the_past_stays_what_it_was(services: Services) -> None:
    """Nothing is known before the first night; a night filed late is known from its arrival on."""
    file_findings(services.store, [a_finding(errors=120)], night(1))
    as_told = tickets(services, night(1))
    file_findings(services.store, [a_finding(errors=150)], night(3))
    file_findings(services.store, [a_finding(errors=99)], night(1))  # the first night, run again
    announce(services, [a_finding()], night(3))
    start_generation(services, night(3), [a_finding().pattern_id])

    assert tickets(services, night(1) - timedelta(seconds=1)) == []
    assert tickets(services, night(1)) == as_told
    assert tickets(services, night(2)) == as_told
    (now,) = tickets(services, night(3))
    assert (now["errors"], now["nights"], now["status"]) == (150, 2, "answered")


def test_a_ticket_is_quiet_after_seven_triaged_nights_without_it(services: Services) -> None:
    """Nights without triage (an outage, here 3 to 12) do not count; a found pattern opens again."""
    file_findings(services.store, [a_finding()], night(1))
    for number in (2, *range(13, 18)):
        file_findings(services.store, [], night(number))
    assert [one["status"] for one in tickets(services)] == ["open"]  # 6 nights
    file_findings(services.store, [], night(18))
    assert [one["status"] for one in tickets(services)] == ["quiet"]  # 7 nights
    assert open_tickets(services) == []
    assert [one["status"] for one in tickets(services, night(17))] == ["open"]
    file_findings(services.store, [a_finding()], night(19))
    (again,) = open_tickets(services)
    assert (again["first_seen"], again["nights"]) == ("2026-05-04", 2)


@pytest.mark.parametrize(
    "silent",
    [
        a_finding(counterfactual=None),
        a_finding(counterfactual=UNSUPPORTED),
        a_finding("score", path=FeedbackPath.THRESHOLD),
    ],
)
def test_only_a_supported_type_a_finding_is_announced(services: Services, silent: Finding) -> None:
    """No counterfactual, one that does not exclude zero, or Type B with one."""
    assert announce(services, [silent, a_finding("new_device")], night(1)) == ["new_device"]


def test_a_pattern_is_announced_once_a_generation(services: Services) -> None:
    """Night after night the same finding; a new pattern speaks up; so does a new generation."""
    first, second = a_finding(), a_finding("new_device")
    start_generation(services, night(1))
    assert announce(services, [first], night(1)) == [first.subject]
    assert announce(services, [first], night(2)) == []
    assert announce(services, [first, second], night(3)) == [second.subject]
    start_generation(services, night(3), digest="b" * 64)  # answers nothing
    assert announce(services, [first, second], night(4)) == [first.subject, second.subject]
    assert announce(services, [first, second], night(5)) == []


def test_no_event_while_a_challenger_that_answers_it_is_on_trial(services: Services) -> None:
    """Found on every night until the answering challenger goes live, and again after that."""
    finding = a_finding()
    start_generation(services, night(1), digest="b" * 64)
    for number in range(1, 5):
        file_findings(services.store, [finding], night(number))
        told = announce(services, [finding], night(number))
        assert told == ([finding.subject] if number == 1 else [])
        if number == 1:
            start_generation(services, night(1), [finding.pattern_id])
    (trial,) = tickets(services)
    assert (trial["status"], trial["answered_by"]) == ("answered", "2")
    assert trial["fired_at"] == night(1).isoformat()

    make_live(services.ledger, 0.1, at=night(4))
    assert tickets(services)[0]["status"] == "answered"  # nobody has looked since
    file_findings(services.store, [finding], night(5))
    (back,) = tickets(services)
    assert (back["status"], back["answered_by"]) == ("open", None)
    assert announce(services, [finding], night(5)) == [finding.subject]


def test_one_challenger_answers_all_open_tickets_that_fire(services: Services) -> None:
    """Two events of one night: the first retrain answers both, the second has nothing to do."""
    two = [a_finding(), a_finding("new_device"), a_finding("country_changed", counterfactual=None)]
    file_findings(services.store, two, night(1))
    due = [one["pattern_id"] for one in to_answer(services, "ato", two[1].pattern_id)]
    assert sorted(due) == sorted(one.pattern_id for one in two[:2])
    start_generation(services, night(1), due)
    assert to_answer(services, "ato", two[0].pattern_id) == []
    assert to_answer(services, "ato", two[1].pattern_id) == []


def test_a_retrain_for_a_ticket_that_is_not_there_is_refused(services: Services) -> None:
    """Another case type's ticket is not there either."""
    file_findings(services.store, [a_finding()], night(1))
    for case_type, pattern_id in (("ato", "f" * 16), ("kyc_audit", a_finding().pattern_id)):
        with pytest.raises(UserError, match=f"{case_type} has no ticket '{pattern_id}'"):
            to_answer(services, case_type, pattern_id)


def test_one_pattern_twice_in_a_night_is_refused(services: Services) -> None:
    """Which of the two would count?"""
    with pytest.raises(ValueError, match="one finding a pattern"):
        file_findings(services.store, [a_finding(errors=1), a_finding(errors=2)], night(1))


def test_tickets_read_as_a_sentence_and_a_table(services: Services) -> None:
    """$3,600 + $400 are open; what is answered is not at stake any more."""
    assert tickets_sentence(open_tickets(services)) == "No pattern of errors is open."
    found = [a_finding(), a_finding("new_device", money_usd=400.0), a_finding("country_changed")]
    file_findings(services.store, found, night(1))
    start_generation(services, night(1), [found[2].pattern_id])
    told = open_tickets(services)
    assert tickets_sentence(told) == (
        "2 patterns of errors are open ($4,000 at stake), 1 pattern of errors is answered by a "
        "challenger."
    )
    row = next(one for one in tickets_table(told) if one["blamed"] == "new_device")
    assert row["effect"] == "-0.33 [-0.41, -0.25] relative weight"
    assert row["marks"] == "A:90 B:20 C:10"
