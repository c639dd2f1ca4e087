"""A process on a live home whose model learned a biased weight: find out why, and announce it twice."""

from __future__ import annotations

import json
import sys

from flows.orchestration.events import announce
from flows.verbs import live
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.night import find_causes
from flows.verbs.record.night_results import NightResults
from tests.planted_bias import CASE_TYPE, FEATURE, with_a_model


def main() -> None:
    """Prints the planted pattern and what each announcement sent, as JSON."""
    moment = live.night_of(None)
    services = live.open_services()
    with_a_model(services, moment, biased=True)
    causes = find_causes(services, load_snapshot(services, moment), NightResults())
    findings = [finding for one in causes for finding in one.findings]
    (planted,) = [f for f in findings if (f.case_type, f.subject) == (CASE_TYPE, FEATURE)]
    sent = [announce(services, findings, moment) for _ in range(2)]
    sys.stdout.write(json.dumps({"pattern_id": planted.pattern_id, "sent": sent}))


if __name__ == "__main__":
    main()
