"""What does a live night do where no source is configured?"""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import UserError
from flows.verbs.live import load_deliveries
from tests.faults.nights import quiet_nights
from tests.flows.verbs.hub_desk import DAY, NOW, hub_desk


def test_what_is_stored_is_judged_without_a_source(tmp_path: Path) -> None:
    """After an import there may be none yet; a home with nothing in it has nothing to judge."""
    services = hub_desk(tmp_path)
    with pytest.raises(UserError, match="no source is configured"):
        load_deliveries(services, NOW)
    quiet_nights(services, NOW, 1)
    assert load_deliveries(services, NOW + DAY) == []
