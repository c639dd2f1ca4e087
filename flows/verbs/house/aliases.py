"""Do MLflow's aliases name the models that the ledger says decide, would, and did?

The aliases are a projection for people who look at MLflow: nothing here decides by them (DESIGN 5).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from configs.errors import GateRefused, ServiceUnreachable
from flows.adapters.files.kill_points import kill_point
from flows.verbs.certify.generation import newest_of_ours
from flows.verbs.ports import Alerts, Ledger, ModelRegistry
from models.hub import Policy, previous_policy_id
from models.hub.policies.external import decides_elsewhere

CHAMPION = "champion"
CHALLENGER = "challenger"
PREVIOUS = "previous"


@dataclass(frozen=True, slots=True)
class AliasDrift:
    """An alias that names another version than the ledger does; None: it names nothing."""

    case_type: str
    alias: str
    found: str | None
    wanted: str | None

    def sentence(self) -> str:
        found, wanted = (
            "nothing" if version is None else f"version {version}"
            for version in (self.found, self.wanted)
        )
        return f"{self.case_type}: `{self.alias}` named {found}; by the ledger it is {wanted}."

    def plain(self) -> dict[str, str | None]:
        """For JSON."""
        return asdict(self)


def wanted_aliases(ledger: Ledger, case_type: str) -> dict[str, str | None]:
    """The version each alias has to name, read off the ledger; None: nothing.

    `champion` is the live policy's model, `previous` the model of the policy that a rollback returns
    to, `challenger` the newest model fitted here while another one is the champion. MLflow knows no
    model of another agent, so no alias names one.
    """
    live = ledger.live_policy(case_type)
    before = previous_policy_id(ledger.history(case_type), case_type)
    newest = newest_of_ours(ledger, case_type)
    tested = newest is not None and (live is None or newest.digest != live.model_digest)
    return {
        CHAMPION: _registered(live),
        PREVIOUS: _registered(None if before is None else ledger.policy(before)),
        CHALLENGER: newest.version if newest is not None and tested else None,
    }


def _registered(policy: Policy | None) -> str | None:
    return None if policy is None or decides_elsewhere(policy) else policy.model_version


def alias_drift(ledger: Ledger, registry: ModelRegistry, case_type: str) -> list[AliasDrift]:
    """The aliases that do not say what the ledger says; none where all do. Others are not ours.

    Raises:
        ServiceUnreachable: MLflow does not answer.
    """
    wanted = wanted_aliases(ledger, case_type)
    if not registry.is_there and not any(wanted.values()):
        return []  # nothing was ever registered in this home
    found = registry.aliases(case_type)
    return [
        AliasDrift(case_type, alias, found.get(alias), version)
        for alias, version in wanted.items()
        if found.get(alias) != version
    ]


def project_aliases(ledger: Ledger, registry: ModelRegistry, case_type: str) -> list[AliasDrift]:
    """Point each alias where the ledger says; what was moved, and from where.

    Raises:
        GateRefused: MLflow has no such version any more; the other aliases were pointed.
        ServiceUnreachable: MLflow does not answer.
    """
    drifted = alias_drift(ledger, registry, case_type)
    refusals = []
    for one in drifted:
        kill_point(f"aliases.{one.alias}")
        try:
            registry.point_alias(case_type, one.alias, one.wanted)
        except GateRefused as refused:
            refusals.append(str(refused))
    if refusals:
        raise GateRefused(" ".join(refusals))
    return drifted


def follow_ledger(
    ledger: Ledger, registry: ModelRegistry, alerts: Alerts, case_type: str, at: datetime
) -> None:
    """Project after an entry. The entry stands whatever MLflow does: a failure is told, and the next
    `reconcile` repairs it."""
    try:
        project_aliases(ledger, registry, case_type)
    except (GateRefused, ServiceUnreachable) as failed:
        alerts.send(
            "aliases_not_projected",
            case_type,
            f"{case_type}: the ledger's entry stands, and MLflow's aliases do not show it yet; the "
            f"next `ratchet reconcile` points them. {failed}",
            at,
        )
