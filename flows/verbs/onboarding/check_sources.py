"""What would be admitted from each configured source tonight, and what not, and why? Nothing is written.

Each source is read from its beginning, as on a first night, and judged by the rules of its contract
against what is stored and what the other sources deliver along with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from dataclasses import replace as with_
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from configs.errors import ServiceUnreachable, UserError
from configs.places import ratchet_config
from configs.settings import Settings, load_settings
from configs.sources import SourceSettings, load_source
from data_contracts import CONTRACTS, Admission, AdmissionContext, admit
from data_contracts.admission import BROKEN_RULES
from flows.adapters.tables.sources import asks_since, read_delivery
from flows.reports.words.since_advice import since_advice
from flows.verbs.intake.admit import DECISION_COLUMNS, KEYS, UNKNOWN_CASE, context_of
from flows.verbs.intake.delivered_decisions import contract_for
from flows.verbs.intake.deliveries import not_stored, waits_for
from flows.verbs.live import source_of
from flows.verbs.onboarding.past_truths import PastTruths, past_truths
from flows.verbs.ports import AdmissionServices
from flows.verbs.services import Services
from flows.verbs.walk.open_walk import _with_text_as_categories
from models.truth import matured_before
from models.vocabulary import CaseType

ORDER = ("decisions", "reviews", "outcomes", "cases", "history")
"""What others refer to comes first."""

EXAMPLES = 3
"""So many rows are named for each broken rule."""

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """One rule that rows break: how many, the first of them (from 1, in the source's order), and what
    would work."""

    rule: str
    rows: int
    examples: tuple[int, ...]
    why: str


@dataclass(frozen=True)
class Checked:
    """What became of one source; nothing of a row.

    rows = admitted + rejected + waiting, unless it could not be read or `failed` says why the
    delivery would fail as a whole.

    Attributes:
        table: the contract's name. source, file: the source's name, and where it is described.
        stored_already: of the admitted, those that are in the store.
        waiting: rows of a case whose decision may still come.
        held: why their labels would be on hold. notes: what was altered while it was read.
        wrong: what is wrong with its configuration, or "".
        unreachable: who does not answer, or "".
        truths: of past cases by case type, how many are bad, good, and not known.
        reads_whole: why every night reads or judges its whole table, or "".
    """

    table: str
    source: str
    file: str
    rows: int = 0
    admitted: int = 0
    stored_already: int = 0
    rejected: int = 0
    waiting: int = 0
    rules: tuple[BrokenRule, ...] = ()
    held: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    wrong: str = ""
    unreachable: str = ""
    reads_whole: str = ""
    truths: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Nothing would be admitted, where something is to be expected."""
        quiet = self.table == "outcomes" and not self.rows
        return not (self.admitted or self.wrong or self.unreachable or quiet)

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        told = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "rules"}
        rules = [
            {"rule": one.rule, "rows": one.rows, "examples": list(one.examples), "why": one.why}
            for one in self.rules
        ]
        return {
            **{k: list(v) if isinstance(v, tuple) else v for k, v in told.items()},
            "rules": rules,
        }


@dataclass
class _Check:
    """What one check knows while it goes from source to source."""

    settings: Settings
    case_types: Mapping[str, CaseType]
    services: AdmissionServices | None
    now: datetime
    delivered: pd.DataFrame | None = None
    newest: pd.Timestamp | None = None
    decisions_in: bool = True
    found: list[Checked] = field(default_factory=list)


def check_sources(
    profile: str | None = None,
    files: Sequence[Path] = (),
    progress: Progress | None = None,
    now: datetime | None = None,
) -> list[Checked]:
    """Read and judge every configured source, and the histories of the user's own folder.

    A source that cannot be read says why, and the others are judged. No home is made, no watermark is
    moved and nothing is stored; reviews and outcomes are judged against stored *and* delivered
    decisions.

    Args:
        files: source files to look at instead of the configured ones.
        progress: is told (done, of all).

    Raises:
        UserError: the settings or the case types cannot be used, or there is nothing to check.
    """
    settings = load_settings(profile)
    case_types = settings.load_case_types()
    named = _named(settings, files)
    home = settings.home / "live"
    # A desk is opened only where there is one: opening makes a home.
    services = Services.at(home, settings, case_types) if (home / "evidence").is_dir() else None
    check = _Check(settings, case_types, services, now or datetime.now(UTC))
    for place, (table, file) in enumerate(named):
        if progress is not None:
            progress(place, len(named))
        check.found.append(_checked(check, table, file))
    return check.found


def _named(settings: Settings, files: Sequence[Path]) -> list[tuple[str, str]]:
    """The source files to check, in the order in which one refers to another; "": not known yet."""
    if files:
        told = [(_kind_of(file), str(file.resolve())) for file in files]
    else:
        configured = {name: getattr(settings.sources, name) for name in ORDER[:-1]}
        told = [(table, file) for table, file in configured.items() if file]
        told += [("history", str(file)) for file in _histories()]
    if not told:
        raise UserError(
            "no source is configured, so there is nothing to check. `ratchet init` writes source files; "
            "name them under `sources:` in a profile, or give them: ratchet check FILE."
        )
    return sorted(told, key=lambda one: ORDER.index(one[0]) if one[0] in ORDER else len(ORDER))


def _kind_of(file: Path) -> str:
    return load_source(file).kind


def _histories() -> list[Path]:
    """The user's own source files of past cases: no profile names them."""
    own = ratchet_config()
    found = [] if own is None else sorted((own / "sources").glob("*.yaml"))
    return [file for file in found if _is_history(file)]


def _is_history(file: Path) -> bool:
    from configs.yaml_lines import read_yaml

    try:
        return read_yaml(file).data.get("kind") == "history"
    except UserError:
        return False  # one that is configured says what is wrong with it by itself


def _checked(check: _Check, table: str, file: str) -> Checked:
    found = Checked(table, Path(file).stem, file)
    try:
        source = load_source(Path(file)) if table == "history" else source_of(table, file)
        found = with_(found, source=source.name, reads_whole=_reads_whole(source))
        reading = read_delivery(source)
        found = with_(found, notes=tuple(map(str, reading.notes)), rows=len(reading.rows))
        if reading.rows.empty:
            return with_(
                found, failed=() if table == "outcomes" else ("its table has columns and no rows.",)
            )
        judged = _judged(check, source, reading.rows)
    except UserError as wrong:
        found = with_(found, wrong=str(wrong))
    except ServiceUnreachable as away:
        found = with_(found, unreachable=str(away))
    else:
        return _told(check, found, judged)
    if table == "decisions":
        check.decisions_in = False
    return found


def _reads_whole(source: SourceSettings) -> str:
    if source.kind == "history":
        return ""
    often = "each time cases are decided" if source.kind == "cases" else "every night"
    if source.url is not None and not asks_since(source):
        whole = f"its query does not ask for `:since`, so the database hands over the whole table {often}"
        if source.watermark is None:
            return (
                f"{whole}; say `watermark:`, and let the query ask for what is later than `:since`."
            )
        theirs = source.columns.get(source.watermark, source.watermark)
        return f"{whole}; {since_advice(theirs, source.url, source.dates)}."
    if source.watermark is None:
        return f"it has no `watermark:`, so its whole table is read and judged {often}."
    return ""


def _judged(check: _Check, source: SourceSettings, rows: pd.DataFrame) -> Admission:
    table, services = source.kind, check.services
    if table == "history":
        listed = source.resolved_case_types(check.case_types)
        try:
            kinds = _with_text_as_categories(listed, rows)
        except ValueError as unfit:
            raise UserError(
                f"{source.name}: {unfit}; it holds text. Correct the source file."
            ) from None
        return admit(rows, CONTRACTS[table], AdmissionContext(now=check.now, case_types=kinds))
    cap = check.settings.night.reviewer_share_cap
    context = AdmissionContext(now=check.now, case_types=check.case_types, reviewer_share_cap=cap)
    contract = CONTRACTS[table]
    if services is not None and table in KEYS:
        contract, context = (
            contract_for(services, table),
            context_of(
                services.store,
                services.case_types,
                services.reviewer_share_cap,
                table,
                rows,
                check.now,
            ),
        )
    if table in ("reviews", "outcomes"):
        context = with_(context, decisions=_known_decisions(check, context.decisions))
    judged = admit(rows, contract, context)
    if table == "decisions":
        check.decisions_in = not judged.failed
        check.delivered = judged.rows.reindex(columns=DECISION_COLUMNS) if judged.admitted else None
        check.newest = None if judged.failed else rows["decided_at"].max()
    return judged


def _known_decisions(check: _Check, stored: pd.DataFrame | None) -> pd.DataFrame | None:
    """Stored decisions, then those that come along; where both tell of a case, what comes counts as in
    the store, where the later row is read."""
    parts = [one for one in (stored, check.delivered) if one is not None and len(one)]
    return pd.concat(parts, ignore_index=True) if parts else stored


def _told(check: _Check, found: Checked, judged: Admission) -> Checked:
    table = found.table
    if judged.failed:
        return with_(found, failed=judged.failed)
    waiting = np.zeros(judged.quarantined, dtype=np.bool_)
    waits = waits_for(table, check.decisions_in, check.newest) if table in KEYS else None
    if waits is not None and judged.quarantined:
        unknown = judged.rejected[BROKEN_RULES].eq(UNKNOWN_CASE).to_numpy(dtype=np.bool_)
        waiting[unknown] = waits(judged.rejected[unknown])
    rejected = judged.rejected[~waiting]
    truths = _truths(check, judged.rows) if table == "history" else {}
    return with_(
        found,
        truths={name: asdict(one) for name, one in truths.items()},
        notes=(*found.notes, *(one.sentence(name) for name, one in truths.items())),
        admitted=judged.admitted,
        stored_already=_stored_already(check.services, table, judged.rows),
        rejected=len(rejected),
        waiting=int(waiting.sum()),
        rules=tuple(_broken(judged, rejected)),
        held=judged.held,
    )


def _truths(check: _Check, rows: pd.DataFrame) -> dict[str, PastTruths]:
    """Of past cases, by configured case type: how many are bad, good, and not known."""
    return {
        str(name): past_truths(
            mine, matured_before(check.now, check.case_types[str(name)].maturity_days)
        )
        for name, mine in rows.groupby("case_type", sort=True, observed=True)
        if str(name) in check.case_types
    }


def _stored_already(services: AdmissionServices | None, table: str, rows: pd.DataFrame) -> int:
    if services is None or rows.empty:
        return 0
    if table in KEYS:
        return int((~not_stored(services.store, table, rows)).sum())
    if table == "cases":
        return int(services.store.holds("decisions", rows[["case_id"]], decided_here=True).sum())
    return 0


def _broken(judged: Admission, rejected: pd.DataFrame) -> list[BrokenRule]:
    """By rule, most frequent first: how many rows and which are the first."""
    said = "; " + rejected[BROKEN_RULES].astype("str") + "; "
    found = []
    for rule in judged.rejections:
        breaks = said.str.contains(f"; {rule}; ", regex=False)
        rows = [int(at) + 1 for at in rejected.index[breaks.to_numpy(dtype=np.bool_)][:EXAMPLES]]
        if rows:
            why = judged.contract.explain(rule)
            found.append(BrokenRule(rule, int(breaks.sum()), tuple(rows), why))
    return sorted(found, key=lambda one: (-one.rows, one.rule))
