"""What must survive: every fault by number, how bad it is, and which of them belong to a later part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["S1", "S2", "S3"]
"""S1: a wrong live boundary, or code that runs; S2: data or evidence lost; S3: availability, comfort."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One statement about a fault.

    Attributes:
        later: why no test is due yet; None: one is due.
        sql: whether the ledger or the store takes part, so that it matters which database keeps it.
    """

    number: int
    severity: Severity
    statement: str
    later: str | None = None
    sql: bool = False


_TEAM = "with teams that share one database"

CATALOGUE = (
    Fault(1, "S1", "a promotion killed at any step leaves one policy, old or new, and can be repeated", sql=True),
    Fault(2, "S1", "of two promotions that race one wins, and the other hears that its base is stale", sql=True),
    Fault(3, "S1", "a promotion and a rollback that race come one after the other", sql=True),
    Fault(4, "S1", "an edited MLflow alias decides nothing and is pointed back"),
    Fault(5, "S1", "a version whose files are missing is not approved"),
    Fault(6, "S1", "a champion without its files is an alarm, and the way back still loads"),
    Fault(7, "S1", "code named by a model's metadata never runs"),
    Fault(8, "S1", "a changed or cut model file is refused before it is parsed"),
    Fault(9, "S1", "a pickle among artifacts or results is never loaded"),
    Fault(10, "S1", "who proposed does not approve, and an approval counts once, for what was read", sql=True),
    Fault(11, "S1", "a reviewer who flips labels near the boundary holds it, and is named with a share"),
    Fault(12, "S1", "no proof rests on one reviewer, who is capped and reported by share", sql=True),
    Fault(13, "S1", "an empty batch, a batch of one class and a contract without checks fail closed", sql=True),
    Fault(14, "S1", "a rule that raises inside Great Expectations fails its batch, and nothing is learned", sql=True),
    Fault(15, "S1", "an unseen category or a column out of order is named, never silently missing"),
    Fault(16, "S1", "a trial too small, peeked at, tied or badly split proves nothing"),
    Fault(17, "S1", "a certificate on seen rows or on later labels is refused", sql=True),
    Fault(18, "S1", "a cut that is no number in range, or an inverted pair, is refused"),
    Fault(19, "S2", "a label corrected after training is a new revision, and the old run can be repeated", sql=True),
    Fault(20, "S2", "a batch that comes twice changes nothing, and contradicting labels are put aside", sql=True),
    Fault(21, "S2", "late rows and clocks that differ: one window a row, and none from the future", sql=True),
    Fault(22, "S2", "killed between quarantine and commit, no row is lost or doubled", sql=True),
    Fault(23, "S2", "an edited, removed or cut ledger is named entry by entry", sql=True),
    Fault(24, "S2", "a full disk or a read-only folder is a clean failure, and a retry works"),
    Fault(25, "S2", "a secret in a bad row shows in no log, page, run, message or traceback"),
    Fault(26, "S2", "exported cells that a spreadsheet would run are made harmless, and -5 stays a number"),
    Fault(27, "S2", "a hostile case id leaves no folder, runs nothing, and is put aside by rule", sql=True),
    Fault(28, "S2", "YAML that would run, grow or hide something is refused with its line"),
    Fault(29, "S2", "same data and seed give the same digests; else the run names what changed", sql=True),
    Fault(30, "S3", "a killed worker's run is closed in time and the next night runs"),
    Fault(31, "S3", "a slot scheduled twice has one effect", sql=True),
    Fault(32, "S3", "three nights without a worker are caught up in one"),
    Fault(33, "S3", "one night a date when the clocks change"),
    Fault(34, "S3", "two first starts on one empty home both succeed", sql=True),
    Fault(35, "S3", "a locked database is a bounded wait and a clear message", sql=True),
    Fault(36, "S3", "a server that dies in mid-run leaves no half state"),
    Fault(37, "S3", "an interrupted command frees its lease and leaves no server"),
    Fault(38, "S3", "an open or outdated server is named by `doctor`"),
    Fault(39, "S1", "a failed batch of any table switches no guard and no expiry off", sql=True),
    Fault(40, "S1", "after missed nights at steady volume the next night admits them all", sql=True),
    Fault(41, "S1", "a late or failed table costs no row that refers to it, and no watermark", sql=True),
    Fault(42, "S1", "a lasting shift is held and then learned from, never refused for ever", sql=True),
    Fault(43, "S1", "a night that could not do its work says so everywhere", sql=True),
    Fault(44, "S1", "a live boundary whose audits bring no labels is told of, then narrowed", sql=True),
    Fault(45, "S1", "a delivered decision that claims to be ours overrides nothing", sql=True),
    Fault(46, "S1", "no flow and no single person rolls back to a wider policy", sql=True),
    Fault(47, "S1", "a ledger without a valid head decides nothing by itself", sql=True),
    Fault(48, "S2", "stamps keep their order, and a read as of a moment never changes", sql=True),
    Fault(49, "S2", "rows behind the overlap are stored or counted, and no future row moves a watermark", sql=True),
    Fault(50, "S2", "a lost or changed audit secret is refused, and a rotation keeps old draws", sql=True),
    Fault(51, "S2", "no other local user reads the home"),
    Fault(52, "S2", "passwords in addresses and values of cells are masked"),
    Fault(53, "S2", "without MLflow the deciding goes on from verified copies, or escalates"),
    Fault(54, "S2", "a moved or copied home uses its own models, or says why not"),
    Fault(55, "S2", "a bad stamp, an unknown case or an empty table holds up nothing else", sql=True),
    Fault(56, "S2", "scores or amounts in another unit are refused whole, with the question to ask"),
    Fault(57, "S2", "a moment before the first row has an answer in every command", sql=True),
    Fault(58, "S2", "the same retrain asked for twice makes no second challenger", sql=True),
    Fault(59, "S3", "a source's query cannot write", sql=True),
    Fault(60, "S3", "look-alike names, unknown drivers, odd YAML and damaged Parquet end in a sentence"),
    Fault(61, "S1", "late, doubled or undated new cases are decided once or put aside with an alert", sql=True),
    Fault(62, "S1", "two audit secrets on one database are refused", sql=True),
    Fault(63, "S1", "a proof that expires beside a proven challenger is renewed in time", sql=True),
    Fault(64, "S2", "a stopped trial costs no standing proof and no look", sql=True),
    Fault(65, "S2", "a team's second machine is told what it lacks", sql=True),
    Fault(66, "S2", "a ledger restored from an older backup is accepted by two people, visibly", sql=True),
    Fault(67, "S2", "a served case is held to the rules of `decide`, and a halt reaches the server"),
    Fault(68, "S3", "a source that cannot be read waits by name, and the night goes on", sql=True),
)  # fmt: skip
