"""A process on a live home where a finding fires: admit, file it, and announce it twice."""

from __future__ import annotations

import json
import sys

from flows.events import announce
from flows.verbs import live
from flows.verbs.night import admit_deliveries
from flows.verbs.tickets import file_findings
from tests.findings import a_finding


def main() -> None:
    """Prints the pattern and what each announcement sent, as JSON."""
    moment = live.night_of(None)
    desk = live.open_desk()
    admit_deliveries(desk, live.load_deliveries(desk, moment), moment)
    finding = a_finding()
    file_findings(desk, [finding], moment)
    sent = [announce(desk, [finding], moment) for _ in range(2)]
    sys.stdout.write(json.dumps({"pattern_id": finding.pattern_id, "sent": sent}))


if __name__ == "__main__":
    main()
