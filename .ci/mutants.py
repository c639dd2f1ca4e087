"""Does a named test turn red when one of the proof's assumptions is broken by hand?

Each mutant changes one line of a copy of the project, as a tired person might, and runs the test
that stands for it. A mutant that survives ends this with exit code 1.

Usage: python .ci/mutants.py [NAME ...]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
COPIED = (
    "models", "configs", "data_contracts", "flows", "benchmarks", "tests", "docs", ".ci", "pyproject.toml",
    "README.md", "CONTRIBUTING.md", "SECURITY.md",
)  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A change by hand: in `file` the text `old` becomes `new`; `test` must then fail."""

    name: str
    file: str
    old: str
    new: str
    test: str


BOUNDARY = "tests/models/boundary"
MUTANTS = (
    Mutant(
        "a sprint without an end",
        "models/hub/policies/audit_plan.py",
        "before = decided_at < pd.Timestamp(self.sprint_until)",
        "before = decided_at <= pd.Timestamp(self.sprint_until)",
        "tests/models/hub/policies/test_audit_plan.py",
    ),
    Mutant(
        "a rollback that lands on the boundary it leaves",
        "models/hub/record/readers.py",
        "sprints = entry.kind is EntryKind.PROMOTED and SPRINT in entry.dossier",
        "sprints = False",
        "tests/models/hub/rules/test_sprints.py",
    ),
    Mutant(
        "a draw from the store enters where the case was opened",
        "flows/verbs/evidence/cohort_rows.py",
        "in_cohort=True, in_block_cohort=blocks_later, from_store=True, entered_at=moment",
        "in_cohort=True, in_block_cohort=blocks_later, from_store=True, entered_at=received",
        "tests/flows/verbs/evidence/test_store_draws.py",
    ),
    Mutant(
        "observed weights instead of designed ones",
        "models/boundary/proof/stratified.py",
        "np.unique(1.0 / evidence.propensity[zone])",
        "np.unique(1.0 / evidence.propensity[zone & evidence.bad])",
        f"{BOUNDARY}/proof/test_stratified.py",
    ),
    Mutant(
        "no spending over looks",
        "models/boundary/sequence/looks.py",
        "return delta / case_types * 6.0 / (math.pi**2 * look**2)",
        "return delta / case_types",
        f"{BOUNDARY}/decision/test_decide.py",
    ),
    Mutant(
        "< for <= at a boundary",
        "models/boundary/decision/decide.py",
        "np.less_equal",
        "np.less",
        f"{BOUNDARY}/decision/test_decide.py",
    ),
    Mutant(
        "ties split",
        "models/boundary/proof/exact.py",
        'first = np.searchsorted(against, against, side="left")',
        "first = np.arange(len(against))",
        f"{BOUNDARY}/proof/test_exact.py",
    ),
    Mutant(
        "missing labels counted as good",
        "models/boundary/proof/exact.py",
        "counted = evidence.automatable & (evidence.bad | evidence.missing)",
        "counted = evidence.automatable & evidence.bad",
        f"{BOUNDARY}/proof/test_certificate.py",
    ),
    Mutant(
        "missing labels counted as good under an audit",
        "models/boundary/proof/stratified.py",
        "misses = evidence.automatable & (evidence.bad | evidence.missing)",
        "misses = evidence.automatable & evidence.bad",
        f"{BOUNDARY}/proof/test_stratified.py",
    ),
    Mutant(
        "chargebacks weighted",
        "models/boundary/proof/evidence.py",
        "bad=drawn & (truth == 1.0),",
        "bad=truth == 1.0,",
        f"{BOUNDARY}/proof/test_certificate.py",
    ),
    Mutant(
        "an audit step that stops short of its score",
        "models/hub/policies/audit_plan.py",
        'np.searchsorted(tops, scores, side="left")',
        'np.searchsorted(tops, scores, side="right")',
        "tests/models/hub/policies/test_audit_plan.py",
    ),
    Mutant(
        "a cost that chooses what was never tested",
        "models/boundary/proof/certificate.py",
        "            blocking.proven_cuts(),\n",
        "            None,\n",
        f"{BOUNDARY}/proof/test_cost_choice.py",
    ),
    Mutant(
        "the guard stakes the same capital every week",
        "models/boundary/live/restarted_bets.py",
        "later * (later + 1.0)",
        "later",
        f"{BOUNDARY}/live/test_restarted_bets.py",
    ),
    Mutant(
        "the control's labels speak for what the treatment does",
        "models/boundary/ab/ab_rows.py",
        "(differ & ~rows.treated[used])",
        "(differ & False)",
        f"{BOUNDARY}/ab/test_ab_rows.py",
    ),
    Mutant(
        "who proposed approves",
        "models/hub/rules/promotion.py",
        "same_person(proposal.actor, command.actor)",
        "False",
        "tests/models/hub/rules/test_promotion.py",
    ),
    Mutant(
        "a proof that has ended is proposed and promoted",
        "models/hub/policies/lasting.py",
        "valid_until > at + timedelta(days=days)",
        "True",
        "tests/models/hub/policies/test_lasting.py",
    ),
    Mutant(
        "an approval on another dossier counts",
        "models/hub/rules/promotion.py",
        "dossier_digest(proposal) != command.dossier_digest",
        "False",
        "tests/models/hub/rules/test_promotion.py",
    ),
    Mutant(
        "a model is loaded whatever its digest",
        "flows/adapters/mlflow/model_registry.py",
        "if found != digest:",
        "if False:",
        "tests/faults/test_08_flipped_bit.py",
    ),
    Mutant(
        "a false omission counts what is not passed",
        "models/boundary/live/restarted_bets.py",
        "passed & evidence.drawn",
        "passed | evidence.drawn",
        f"{BOUNDARY}/live/test_restarted_bets.py",
    ),
    Mutant(
        "a case on the block cut is unguarded",
        "models/boundary/live/restarted_bets.py",
        "evidence.score >= cut",
        "evidence.score > cut",
        f"{BOUNDARY}/live/test_restarted_bets.py",
    ),
    Mutant(
        "caught cases are looked for among the passed",
        "models/boundary/proof/certificate.py",
        "(evidence.bad | evidence.missing) & ~passed",
        "(evidence.bad | evidence.missing) & passed",
        f"{BOUNDARY}/live/test_guard.py",
    ),
    Mutant(
        "caught cases weigh a tenth too much",
        "models/boundary/proof/certificate.py",
        "seen = float((1.0 / evidence.propensity[caught]).sum())",
        "seen = float((1.1 / evidence.propensity[caught]).sum())",
        f"{BOUNDARY}/live/test_guard.py",
    ),
    Mutant(
        "what outcomes refute stays where audits prove it",
        "models/boundary/proof/certificate.py",
        "self._left_of(passing, np.less)",
        "passing.chosen(False)",
        "tests/flows/verbs/evidence/test_surfaced_outcomes.py",
    ),
    Mutant(
        "outcomes surface on drawn cases alone",
        "flows/verbs/evidence/truth.py",
        "surfaced=~drawn & (said == 1.0)",
        "surfaced=drawn & (said == 1.0)",
        "tests/flows/verbs/evidence/test_surfaced_outcomes.py",
    ),
    Mutant(
        "a second person's agreement confirms nothing",
        "models/truth/adjudication.py",
        'heard["confirmed"] |= agreed',
        "pass",
        "tests/models/truth/test_truth.py",
    ),
    Mutant(
        "a person under the cap is named for a proof that is small",
        "models/reviewers/influence.py",
        "                continue\n        flipped",
        "                pass\n        flipped",
        "tests/models/reviewers/test_influence.py",
    ),
    Mutant(
        "an ordinary small batch is far from its past",
        "models/drift/levels.py",
        "min(max(before, 1.0 / rows), 1.0 - 1.0 / rows)",
        "max(max(before, 1.0 / rows), 1.0 - 1.0 / rows)",
        "tests/data_contracts/test_admission.py",
    ),
    Mutant(
        "causes are looked for every night",
        "flows/verbs/night.py",
        "days is not None and timedelta(0) < days < services.triage_every",
        "False",
        "tests/flows/verbs/causes/test_find_causes.py",
    ),
    Mutant(
        "an approval of an earlier proposal is taken for this one's",
        "flows/verbs/govern/promote.py",
        "if policy_id and not _fitting(",
        "if policy_id or not _fitting(",
        "tests/flows/verbs/govern/test_approve_and_promote.py",
    ),
    Mutant(
        "a window without its column reads everything",
        "flows/adapters/evidence/evidence_store.py",
        "if (since is not None or until is not None) and stamp is None:",
        "if (since is not None and until is not None) and stamp is None:",
        "tests/flows/adapters/evidence/test_evidence_store.py",
    ),
    Mutant(
        "a hair before midnight is a day less",
        "models/replay/reviewer_queue_hours.py",
        "np.floor_divide(moments, HOURS)",
        "np.floor(moments / HOURS)",
        "tests/models/replay/test_reviewer_queue_hours.py",
    ),
    Mutant(
        "an outcome that contradicts a stored one counts",
        "data_contracts/outcomes.py",
        "if context.stored_outcomes is not None:",
        "if False:",
        "tests/data_contracts/test_rules.py",
    ),
    Mutant(
        "a level that still moves has lasted",
        "models/drift/levels.py",
        "if judge(on_hold[half:], on_hold[first:half]):",
        "if False:",
        "tests/models/drift/test_levels.py",
    ),
    Mutant(
        "what is unlike a lasting level is released with it",
        "models/drift/levels.py",
        "        if judge(chunk, on_hold[half:]):",
        "        if False:",
        "tests/models/drift/test_levels.py",
    ),
    Mutant(
        "one person takes refutation from labels",
        "models/hub/rules/holds.py",
        "return self.state is HoldState.STRUCK",
        "return self.state in (HoldState.STRUCK, HoldState.DISCARDED)",
        "tests/models/hub/rules/test_holds.py",
    ),
    # The traps of METHODS 1.2, each put in by hand.
    Mutant(
        "escalated cases outside the cohort count as caught",
        "models/boundary/sequence/cohort.py",
        "(self.member & self.bad & self.counted)[: self.first_waiting]",
        "(self.bad & self.counted)[: self.first_waiting]",
        f"{BOUNDARY}/sequence/test_certification_sequence.py",
    ),
    Mutant(
        "membership of the cohort taken from labels",
        "models/boundary/sequence/cohort.py",
        'member = read_flags(frame, "in_cohort", every)',
        "member = ~open_",
        f"{BOUNDARY}/sequence/test_certification_sequence.py",
    ),
    Mutant(
        "the level of one look at every look",
        "models/boundary/sequence/look_table.py",
        "allowed.append(least - 1)",
        "allowed.append(int(stats.binom.ppf(delta, size, share)) - 1)",
        f"{BOUNDARY}/sequence/test_look_table.py",
    ),
    Mutant(
        "what a look spends is forgotten",
        "models/boundary/sequence/look_table.py",
        "spent += float(waiting[:least].sum())",
        "spent = float(waiting[:least].sum())",
        f"{BOUNDARY}/sequence/test_look_table.py",
    ),
    Mutant(
        "a draw from the store skips what surfaced by itself",
        "models/boundary/sequence/thinning.py",
        '& (cases["uniform"] < rate)',
        '& (cases["uniform"] < rate) & ~cases["surfaced"]',
        f"{BOUNDARY}/sequence/test_thinning.py::test_an_adversary_who_moves_the_rate_and_draws_the_store_gains_nothing",
    ),
    Mutant(
        "the audit's uniform is drawn for what is above the rate as well",
        "models/boundary/sequence/thinning.py",
        "np.asarray(uniform < rate)",
        "np.asarray(uniform >= 0.0 * rate)",
        "tests/models/boundary/sequence/test_thinning.py",
    ),
    Mutant(
        "a look uses more than its own bad cases",
        "models/boundary/sequence/certification_sequence.py",
        "self.miss_place < rows]",
        "self.miss_place >= 0]",
        f"{BOUNDARY}/sequence/test_certification_sequence.py",
    ),
    Mutant(
        "a backlog is skipped",
        "models/boundary/sequence/cohort.py",
        "return int(waiting[0]) if len(waiting) else len(self)",
        "return len(self)",
        f"{BOUNDARY}/sequence/test_certification_sequence.py",
    ),
    Mutant(
        "the bad cases of a look are sampled anew",
        "models/boundary/sequence/certification_sequence.py",
        "int(places[table.sizes[look] - 1]) + 1",
        "int(places[-1]) + 1",
        f"{BOUNDARY}/sequence/test_certification_sequence.py",
    ),
    Mutant(
        "a price goes by the labels that came early",
        "models/boundary/price/sequence_price.py",
        "end = cohort.first_waiting",
        "end = len(cohort)",
        f"{BOUNDARY}/price/test_notch_price.py",
    ),
    Mutant(
        "a backlog counts as misses",
        "models/boundary/sequence/cohort.py",
        'given_up = read_flags(frame, "given_up", ~every) & open_',
        "given_up = open_",
        f"{BOUNDARY}/sequence/test_certification_sequence.py",
    ),
    Mutant(
        "a case given up counts as nothing",
        "models/boundary/sequence/certification_sequence.py",
        "cohort.member & cohort.automatable & (cohort.bad | cohort.given_up)",
        "cohort.member & cohort.automatable & cohort.bad",
        f"{BOUNDARY}/sequence/test_certification_sequence.py",
    ),
    Mutant(
        "the table of looks is rebuilt on the way",
        "models/boundary/sequence/certification_sequence.py",
        "return replace(self, cohort=cohort)._advanced(None, None)",
        "return CertificationSequence.start(self.targets, cohort)",
        f"{BOUNDARY}/sequence/test_certification_sequence.py",
    ),
    Mutant(
        "a look is taken again once a label is corrected",
        "models/boundary/sequence/certification_sequence.py",
        "looks=(*self.looks, *self._looks_due()),",
        "looks=tuple(replace(self, looks=())._looks_due()),",
        f"{BOUNDARY}/sequence/test_certification_sequence.py",
    ),
    Mutant(
        "the last look stands instead of the widest",
        "models/boundary/sequence/certification_sequence.py",
        "min(max(cuts), self.ceiling)",
        "min(cuts[-1], self.ceiling)",
        f"{BOUNDARY}/sequence/test_certification_sequence.py",
    ),
    Mutant(
        "a cut that 32 bits undo",
        "models/boundary/proof/candidates.py",
        "np.nextafter(np.float32(score), np.float32(-np.inf))",
        "np.nextafter(score, -np.inf)",
        f"{BOUNDARY}/sequence/test_certification_sequence.py",
    ),
    Mutant(
        "every unconfirmed bad label counts",
        "models/boundary/sequence/cohort.py",
        "return credence, uniform < credence",
        "return credence, uniform < 1.0",
        f"{BOUNDARY}/sequence/test_certification_sequence.py",
    ),
    Mutant(
        "a step that never passed is stepped over",
        "models/boundary/proof/step_ladder.py",
        "if not passed.any():",
        "if not passed.any() and proven + 1 == len(self.steps):",
        f"{BOUNDARY}/sequence/test_certification_sequence.py",
    ),
    Mutant(
        "a model learns from the held-back slice",
        "models/boundary/sequence/thinning.py",
        "held_back | (member & (second_uniform < RESERVE_SHARE))",
        "member & (second_uniform < RESERVE_SHARE)",
        f"{BOUNDARY}/sequence/test_thinning.py",
    ),
    Mutant(
        "thinned to the rate itself and not to the least rate",
        "models/boundary/sequence/thinning.py",
        "drawn & (propensity > 0.0) & (uniform < kept)",
        "drawn & (propensity > 0.0)",
        f"{BOUNDARY}/sequence/test_thinning.py",
    ),
    Mutant(
        "a price that takes the misses seen for the truth",
        "models/boundary/price/notch_price.py",
        "shares = stats.beta.ppf(chances, errors + 0.5, trials - errors + 0.5)",
        "shares = np.full(len(chances), errors / trials)",
        f"{BOUNDARY}/price/test_notch_price.py",
    ),
    Mutant(
        "misses found are not taken off what is to come",
        "models/boundary/live/period_audit.py",
        "to_come = breaks_at - errors",
        "to_come = breaks_at - 0.0 * errors",
        f"{BOUNDARY}/live/test_period_audit.py",
    ),
    Mutant(
        "a period audited in the order of the ordinary audit",
        "flows/verbs/more_labels/audit_period.py",
        'f"period|{case_type}"',
        'f"audit|{case_type}"',
        "tests/flows/verbs/more_labels/test_audit_period.py",
    ),
    Mutant(
        "a look-back's labels as if they were drawn",
        "flows/verbs/evidence/truth.py",
        'return (escalated | decisions["audited"])',
        "return (escalated | True)",
        "tests/flows/verbs/more_labels/test_look_back.py",
    ),
    Mutant(
        "a certificate's counts are not held against its table",
        "flows/adapters/ledger/certificate_verifier.py",
        "if look[3] <= look[1]",
        "if look[3] <= look[0]",
        "tests/flows/adapters/ledger/test_certificate_verifier.py",
    ),
    Mutant(
        "a night on the ledger's newest version",
        "flows/verbs/night.py",
        "services, results = services.on_snapshot(), NightResults()",
        "results = NightResults()",
        "tests/flows/verbs/test_night.py",
    ),
    Mutant(
        "a wheel without its settings",
        "pyproject.toml",
        'configs = ["*.yaml", "*/*.yaml"]',
        "configs = []",
        "tests/test_wheel.py",
    ),
    Mutant(
        "a page whose cited section is gone",
        "docs/methods.md",
        "## METHODS 1.6 Label noise",
        "## Label noise",
        "tests/test_citations.py",
    ),
    Mutant(
        "a link that leads nowhere",
        "docs/architecture.md",
        "(glossary.md)",
        "(words.md)",
        "tests/test_citations.py",
    ),
    Mutant(
        "a verb that knows MLflow",
        "flows/verbs/night.py",
        "from functools import partial",
        "from functools import partial\n\nimport mlflow",
        "tests/test_house.py::test_the_import_rules_hold",
    ),
    Mutant(
        "a certificate shows looks as they were before labels were corrected",
        "models/boundary/proof/shown_proof.py",
        "or not step.passes",
        "",
        f"{BOUNDARY}/proof/test_shown_proof.py",
    ),
)


def main(names: list[str]) -> int:
    """Try every mutant (or those named); 1 when one survives."""
    unknown = [name for name in names if name not in {mutant.name for mutant in MUTANTS}]
    if unknown:
        print(f"There is no mutant {unknown}; there are: {[mutant.name for mutant in MUTANTS]}")
        return 2
    alive = []
    with tempfile.TemporaryDirectory() as folder:
        copy = _copied(Path(folder))
        for number, mutant in enumerate(MUTANTS, start=1):
            if names and mutant.name not in names:
                continue
            began = time.perf_counter()
            failed = _first_failure(mutant, copy, number)
            seconds = time.perf_counter() - began
            print(
                f"{'killed  ' if failed else 'SURVIVED'}  {mutant.name} ({seconds:.0f} s)"
                + (f": {failed}" if failed else f": {mutant.test} stayed green"),
                flush=True,
            )
            if not failed:
                alive.append(mutant.name)
    return 1 if alive else 0


def _copied(folder: Path) -> Path:
    """A copy of the project that every mutant is put into in turn, so that bytecode is compiled once."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    return folder


def _first_failure(mutant: Mutant, copy: Path, number: int) -> str | None:
    """The test that turned red; None when all stayed green. The copy is as it was afterwards."""
    file = copy / mutant.file
    text = file.read_text(encoding="utf-8")
    if mutant.old not in text:
        raise SystemExit(f"{mutant.file} no longer holds {mutant.old!r}; mend this mutant.")
    _write(file, text.replace(mutant.old, mutant.new), 2 * number)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", mutant.test],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
    _write(file, text, 2 * number + 1)
    if ran.returncode == 0:
        return None
    failed = [line for line in ran.stdout.splitlines() if line.startswith("FAILED")]
    if ran.returncode != 1 or not failed:
        raise SystemExit(f"{mutant.name}: the tests could not run:\n{ran.stdout}{ran.stderr}")
    return failed[0].removeprefix("FAILED ").split(" - ")[0]


def _write(file: Path, text: str, stamp: int) -> None:
    """Write with a time of its own: bytecode is trusted by its source's time, in seconds, and size."""
    file.write_text(text, encoding="utf-8")
    os.utime(file, (stamp, stamp))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
