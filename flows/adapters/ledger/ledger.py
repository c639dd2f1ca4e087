"""Which policy decides, who made it so, and has anybody changed the record since?

`models.hub` decides whether a command may happen; this file keeps what it decided, in SQL. The hash
of the last entry also stands in a head file outside the database, so that a cut tail shows, and so
does a hash over all refusals. The head is written after the commit: a crash in between leaves it
behind, which is not tampering as long as the chain still runs through the entry it names, and
through the furthest one that this home has seen (`ledger.seen`): an older copy of the head is not
enough to cut the tail.

Without a valid head nothing is read and nothing is added, even from an empty ledger where something
shows that it was not always empty; whoever only reads, on a machine without a head, says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    RowMapping,
    Select,
    Table,
    Text,
    UniqueConstraint,
    func,
    insert,
    select,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError

from configs.errors import GateRefused, ServiceUnreachable, UserError
from flows.adapters.files.kill_points import kill_point
from flows.adapters.ledger.ledger_head import (
    Head,
    HeadFile,
    RefusalTally,
    read_head,
    read_seen,
    seen_file,
    traces_beside,
    write_first_head,
    write_head,
    write_seen,
)
from flows.adapters.sql.database import (
    BUSY_TIMEOUT_SECONDS,
    one_reader,
    open_database,
    reading,
    writing,
)
from flows.adapters.sql.migrate import bring_up_to_date
from models.hub import (
    GENESIS_HASH,
    LEDGER,
    AcceptRestored,
    Command,
    Entry,
    EntryKind,
    Narrow,
    Policy,
    Propose,
    ProposeSprint,
    Refusal,
    RefusalRule,
    RequestForce,
    RequestRollBack,
    RollBack,
    accepted_restores,
    handle_command,
    live_policy_id,
    may_act,
    previous_policy_id,
    version_of,
)
from models.hub.policies.canonical import canonical_json, in_utc, sha256_of, utc_stamp

_METADATA = MetaData()
_ENTRIES = Table(
    "ledger_entries",
    _METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("case_type", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("policy_id", Text),
    Column("base_version", Integer, nullable=False),
    Column("evidence_digest", Text),
    Column("dossier", Text, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("own_hash", Text, nullable=False),
    UniqueConstraint("case_type", "version"),
)
_POLICIES = Table(
    "policies",
    _METADATA,
    Column("policy_id", Text, primary_key=True),
    Column("case_type", Text, nullable=False),
    Column("document", Text, nullable=False),
)
_REFUSALS = Table(
    "ledger_refusals",
    _METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("case_type", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("command", Text, nullable=False),
)

_KEPT_BESIDE = ("policies", "ledger_refusals", "actor_tokens")
"""The tables that hold nothing before the first entry or refusal."""

_LOST_RACES = 50
"""How often a submit that lost a race for the next place in the ledger looks again."""

_Row: TypeAlias = RowMapping | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether the record is as it was written.

    `problems` name what was changed, by entry. `notes` are harmless: a head file that is behind by
    some entries mends itself; that two people accepted a restored ledger stays told for ever.
    """

    ok: bool
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeptRefusal:
    """A command that was refused: by which rule, why, who asked, when, and what."""

    case_type: str
    rule: RefusalRule
    reason: str
    actor: str
    at: datetime
    command: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Told:
    """What stands outside the database: the head file, and how far this home has seen the ledger."""

    head: Head | None
    seen: tuple[int, str] | None


class Ledger:
    """The append-only record of every case type's policies (DESIGN 5)."""

    def __init__(
        self,
        url: str | URL,
        head_file: HeadFile,
        busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS,
        *,
        enrolled_only: bool = True,
        reads_without_head: bool = False,
    ) -> None:
        """Open the ledger at a SQLAlchemy URL, creating it when it is not there.

        Args:
            head_file: where the head stands: a file, or one of a team's shared store.
            enrolled_only: only people enrolled in it may act, in their roles, and the flows within
                theirs. A demo's or backtest's own ledger, whose approver is `backtest`, is open.
            reads_without_head: on a machine that has no head file, read the chain as it is, and add
                nothing. A cut tail does not show there: nothing may be decided by what is read.

        Raises:
            UserError: the URL cannot be understood.
            ServiceUnreachable: the database or the head file's folder cannot be used.
        """
        self._engine = open_database(url, busy_timeout_seconds)
        self._head_file = head_file
        self._enrolled_only = enrolled_only
        self._reads_without_head = reads_without_head
        self._verified: tuple[tuple[tuple[Any, ...], ...], tuple[Entry, ...]] = ((), ())
        bring_up_to_date(self._engine)
        if not reads_without_head:
            self._start_head()

    def record_policy(self, policy: Policy) -> str:
        """Keep a policy's document and return its id; a known one changes nothing."""
        for _ in range(_LOST_RACES):
            try:
                with writing(self._engine) as connection:
                    _keep_policy(connection, policy)
                return policy.policy_id
            except IntegrityError:
                continue  # another process kept the same policy a moment earlier
        raise ServiceUnreachable("The policy could not be kept; nothing was changed. Try again.")

    def policy(self, policy_id: str) -> Policy:
        """A kept policy, re-hashed as it is read.

        Raises:
            UserError: no such policy is kept.
            GateRefused: its document no longer has the hash that names it.
        """
        with reading(self._engine) as connection:
            return _policy(connection, policy_id)

    @property
    def engine(self) -> Engine:
        """The database itself, for what is kept beside the ledger."""
        return self._engine

    def one_reader(self) -> AbstractContextManager[None]:
        """See `database.one_reader`."""
        return one_reader(self._engine)

    @property
    def file(self) -> Path | None:
        """The database's file, where it is one."""
        url = self._engine.url
        return Path(str(url.database)) if url.get_backend_name() == "sqlite" else None

    def database_clock(self) -> datetime | None:
        """What time it is on the database's machine (UTC); None where it is a file on this one."""
        if self.file is not None:
            return None
        with reading(self._engine) as connection:
            return in_utc(connection.execute(select(func.clock_timestamp())).scalar_one())

    def policy_ids(self) -> frozenset[str]:
        """The ids of all policies that are kept, whatever their case type."""
        with reading(self._engine) as connection:
            return frozenset(connection.execute(select(_POLICIES.c.policy_id)).scalars())

    def submit(self, command: Command, at: datetime) -> Entry | Refusal:
        """Carry out a command, or keep its refusal; of two racing commands one wins.

        Raises:
            GateRefused: the ledger is not as it was written, or was opened to be read without its
                head; nothing is added to it.
            ServiceUnreachable: the database does not answer or stays locked; nothing was changed.
        """
        if self._reads_without_head:
            raise GateRefused(
                "This ledger was opened to be read without its head file, and nothing is added to it. "
                "Copy the head file of another machine, and open it with that."
            )
        for _ in range(_LOST_RACES):
            try:
                with writing(self._engine) as connection:
                    said = self._carry_out(connection, command, at)
                    kill_point("ledger.before_commit")
            except IntegrityError:
                continue  # somebody took the place: decide again on what the ledger says now
            kill_point("ledger.after_commit")
            self._advance_head()
            kill_point("ledger.head_written")
            return said
        raise ServiceUnreachable(
            f"The ledger stayed busy through {_LOST_RACES} attempts. Nothing was changed; try again."
        )

    def history(
        self, case_type: str | None = None, as_of: datetime | None = None
    ) -> tuple[Entry, ...]:
        """The entries, oldest first; of one case type, and up to a moment, where asked.

        Raises:
            GateRefused: an entry is not as it was written, the tail was cut, or there is no valid
                head file.
        """
        told = self._told()  # before the entries, see _compare_head
        with reading(self._engine) as connection:
            entries = self._whole_entries(connection, told)
        return selected(entries, case_type, as_of)

    def refresh(self, case_type: str) -> None:
        """Every read is of what stands now already (a snapshot's is not)."""

    @property
    def written(self) -> Ledger:
        """The ledger that is written to; of a snapshot, the one that it was taken of."""
        return self

    def as_it_stands(self) -> tuple[Entry, ...]:
        """The whole chain, whatever the head file says: for whoever accepts a restored ledger, and
        for nothing else.

        Raises:
            GateRefused: an entry is not as it was written.
        """
        with reading(self._engine) as connection:
            return self._intact_entries(connection)

    def accept_restored(self, actor: str, reason: str, at: datetime) -> Entry | Refusal:
        """Take this ledger for whole although it does not fit its head file; two approvers do, one
        after the other, by the same call, and the head is written anew.

        Killed between the entry and the head, an approver's same call writes the head.

        Raises:
            GateRefused: an entry is not as it was written: that nobody can accept.
            ServiceUnreachable: the database or the head file cannot be written.
        """
        for _ in range(_LOST_RACES):
            try:
                with writing(self._engine) as connection:
                    said = self._accept(connection, actor, reason, at)
                    kill_point("ledger.before_commit")
            except IntegrityError:
                continue
            kill_point("ledger.after_commit")
            if isinstance(said, Entry) and said.kind is EntryKind.RESTORE_ACCEPTED:
                self._replace_head()
            return said
        raise ServiceUnreachable(
            f"The ledger stayed busy through {_LOST_RACES} attempts. Nothing was changed; try again."
        )

    def _accept(
        self, connection: Connection, actor: str, reason: str, at: datetime
    ) -> Entry | Refusal:
        told, entries = self._told(), self._intact_entries(connection)
        problems, _ = self._compare_head(told, {entry.seq: entry.own_hash for entry in entries})
        refusals = connection.execute(_refusals_after(0)).mappings().all()
        lost = {
            "head": [] if told.head is None else [told.head.seq, told.head.own_hash],
            "seen": [] if told.seen is None else list(told.seen),
        }
        command = AcceptRestored(
            reason=reason,
            actor=actor,
            base_version=version_of(entries, LEDGER),
            why=" ".join([*problems, *_compare_refusals(told.head, refusals)[0]]),
            lost=lost,
        )
        refused = may_act(entries, command) if self._enrolled_only else None
        last = entries[-1] if entries else None
        if (
            refused is None
            and command.why
            and last is not None
            and last.kind is EntryKind.RESTORE_ACCEPTED
            and dict(last.dossier["lost"]) == lost
        ):
            return last  # two agreed, and the power went before the head was written
        said = refused or handle_command(entries, command, at)
        if isinstance(said, Refusal):
            _keep_refusal(connection, told.head, said, command, at)
        else:
            connection.execute(insert(_ENTRIES).values(_entry_row(said)))
        return said

    def _replace_head(self) -> None:
        """A head of what is in the database now, whatever the old one said."""
        with reading(self._engine) as connection:
            seq, own_hash = _head(connection)
            rows = connection.execute(_refusals_after(0)).mappings().all()
        # The witness first: without the head nothing is decided yet, and the call can be repeated.
        write_seen(self._head_file, seq, own_hash)
        kill_point("ledger.seen_replaced")
        write_head(self._head_file, Head(seq, own_hash, RefusalTally().continued(rows)))

    def refusals(self, case_type: str | None = None) -> tuple[KeptRefusal, ...]:
        """The commands that were refused, oldest first."""
        query = select(_REFUSALS).order_by(_REFUSALS.c.id)
        if case_type is not None:
            query = query.where(_REFUSALS.c.case_type == case_type)
        with reading(self._engine) as connection:
            rows = connection.execute(query).mappings().all()
        return tuple(_kept_refusal(row) for row in rows)

    def live_policy(self, case_type: str, as_of: datetime | None = None) -> Policy | None:
        """The policy that decides (or decided at a moment); None: everything is reviewed.

        Raises:
            GateRefused: an entry or the policy's document is not as it was written, the tail was
                cut, or there is no valid head file.
        """
        told = self._told()  # before the entries, see _compare_head
        with reading(self._engine) as connection:
            history = selected(self._whole_entries(connection, told), case_type, as_of)
            policy_id = live_policy_id(history, case_type)
            return None if policy_id is None else _policy(connection, policy_id)

    def head(self) -> tuple[int, str]:
        """The last entry's place and hash; (0, zeros) for an empty ledger."""
        with reading(self._engine) as connection:
            return _head(connection)

    def verify(self) -> Verification:
        """Recompute the whole chain, compare it and the refusals with the head file, and re-hash every
        policy."""
        told = self._told()  # before the entries, see _compare_head
        with reading(self._engine) as connection:
            rows = connection.execute(select(_ENTRIES).order_by(_ENTRIES.c.seq)).mappings().all()
            policies = connection.execute(select(_POLICIES)).mappings().all()
            refusals = connection.execute(_refusals_after(0)).mappings().all()
        head_problems, notes = self._compare_head(
            told, {row["seq"]: row["own_hash"] for row in rows}
        )
        refusal_problems, refusal_notes = _compare_refusals(told.head, refusals)
        problems = (
            *_chain_problems(rows),
            *head_problems,
            *_policy_problems(rows, policies),
            *refusal_problems,
        )
        chain = () if problems else tuple(_entry(row) for row in rows)
        restored = [_said_of_restore(entry) for entry in accepted_restores(chain)]
        return Verification(not problems, problems, (*notes, *refusal_notes, *restored))

    def _carry_out(self, connection: Connection, command: Command, at: datetime) -> Entry | Refusal:
        told = self._told()
        head, history = told.head, self._intact_entries(connection)
        problems, _ = self._compare_head(told, {entry.seq: entry.own_hash for entry in history})
        if problems:
            raise GateRefused(_broken(problems))
        refused = may_act(history, command) if self._enrolled_only else None
        shown = _with_policies(connection, history, command)
        said = refused or _unknown_policy(connection, command) or handle_command(history, shown, at)
        if isinstance(said, Refusal):
            _keep_refusal(connection, head, said, command, at)
            return said
        if isinstance(command, Narrow):
            _keep_policy(connection, command.narrowed)
        elif isinstance(command, ProposeSprint):
            _keep_policy(connection, command.sprint)
        elif isinstance(command, Propose | RequestForce):
            _keep_policy(connection, command.policy)
        kill_point("ledger.policy_kept")
        connection.execute(insert(_ENTRIES).values(_entry_row(said)))
        return said

    def _whole_entries(self, connection: Connection, told: _Told) -> tuple[Entry, ...]:
        """The whole chain, as far as the head file and what this home has seen say it runs."""
        entries = self._intact_entries(connection)
        if self._reads_without_head and told.head is None:
            return entries
        marks = [(told.head.seq, told.head.own_hash)] if told.head is not None else []
        marks += [] if told.seen is None else [told.seen]
        # A head at the beginning that nothing witnesses may be any new ledger's.
        witnessed = told.head is not None and (told.head.seq > 0 or told.seen is not None)
        if not witnessed or any(
            seq > 0 and (seq > len(entries) or entries[seq - 1].own_hash != own_hash)
            for seq, own_hash in marks
        ):
            problems, _ = self._compare_head(told, {e.seq: e.own_hash for e in entries})
            if problems:
                raise GateRefused(_broken(problems))
        return entries

    def _intact_entries(self, connection: Connection) -> tuple[Entry, ...]:
        """The whole chain. Rows equal to those verified before are not hashed a second time."""
        result = connection.execute(select(_ENTRIES).order_by(_ENTRIES.c.seq))
        names = tuple(result.keys())
        rows = tuple(map(tuple, result))  # plain tuples: those known are compared on every read
        known_rows, entries = self._verified
        if rows[: len(known_rows)] != known_rows:
            known_rows, entries = (), ()
        new = [dict(zip(names, row, strict=True)) for row in rows[len(known_rows) :]]
        problems = _chain_problems(new, entries[-1] if entries else None)
        if problems:
            raise GateRefused(_broken(problems))
        entries = (*entries, *map(_entry, new))
        self._verified = (rows, entries)
        return entries

    def _start_head(self) -> None:
        """An empty ledger has a head too: from then on, a missing head file is a finding.

        A ledger that something shows to have been used gets none: whoever deletes all entries and
        the head together does not start anew, with nobody enrolled and nothing halted.
        """
        begun = self._head_file.exists()
        if begun and seen_file(self._head_file).exists():
            return
        if self.head()[0] or (not begun and self._traces()):
            return
        write_first_head(self._head_file)
        write_seen(self._head_file, 0, GENESIS_HASH)

    def _traces(self) -> tuple[str, ...]:
        """What shows that an empty ledger has had entries."""
        with reading(self._engine) as connection:
            kept = [name for name in _KEPT_BESIDE if _holds_rows(connection, name)]
        return (*kept, *traces_beside(self._head_file))

    def _advance_head(self) -> None:
        """Write the newest head; whoever writes last re-checks, so racing writers converge.

        The tally goes on from the one in the file: what was done to older refusals keeps showing.
        """
        for _ in range(_LOST_RACES):
            present = read_head(self._head_file)
            tally = (present and present.refusals) or RefusalTally()
            with reading(self._engine) as connection:
                seq, own_hash = _head(connection)
                new = connection.execute(_refusals_after(tally.last)).mappings().all()
            newest = Head(seq, own_hash, tally.continued(new))
            if present == newest:
                if read_seen(self._head_file) != (seq, own_hash):
                    write_seen(self._head_file, seq, own_hash)
                return
            write_head(self._head_file, newest)

    def _told(self) -> _Told:
        return _Told(read_head(self._head_file), read_seen(self._head_file))

    def _compare_head(
        self, told: _Told, hashes: Mapping[int, str]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Problems and notes of the head file against the hashes by place.

        The head must have been read before the entries: another process may commit an entry and
        advance the head in between, which would look like a cut tail the other way round.
        """
        last, head = max(hashes, default=0), told.head
        if head is None and not last:
            traces = self._traces()
            if not traces:
                return (), ()  # another process is about to write the first head
            return (
                f"The ledger is empty and has no valid head file, but it was used before: "
                f"{', '.join(traces)} say so. Restore the ledger and its head file from a copy (a "
                "machine that joins takes a copy of another machine's head file), or start in a new "
                "home (RATCHET_HOME) with a new database.",
            ), ()
        if head is None:
            return (
                f"The head file {self._head_file} is missing or unreadable, and the ledger has "
                f"{last} entries. Restore it from a copy; a machine that joins an existing ledger "
                "starts with a copy of another machine's; where there is none, two approvers accept "
                "the ledger as it is: `ratchet ledger accept-restored --reason R`.",
            ), ()
        seq, own_hash = head.seq, head.own_hash
        if seq > last:
            cut = f"entry {seq} is" if seq == last + 1 else f"entries {last + 1} to {seq} are"
            return (
                f"The tail was cut: {cut} missing after entry {last}. Where this is a restored "
                "ledger and no newer copy is left, two approvers accept it: `ratchet ledger "
                "accept-restored --reason R`.",
            ), ()
        if seq > 0 and hashes.get(seq) != own_hash:
            return (f"Entry {seq} is not the one the head file names: it was rewritten.",), ()
        unseen = self._unseen(told.seen, seq, hashes)
        if unseen:
            return (unseen,), ()
        behind = last - seq
        if behind:
            entries = "entry" if behind == 1 else "entries"
            return (), (
                f"The head is behind by {behind} {entries}: the ledger was written and the head "
                "file was not (a crash, or another machine). The next entry repairs it.",
            )
        return (), ()

    def _unseen(self, seen: tuple[int, str] | None, head: int, hashes: Mapping[int, str]) -> str:
        """Why a head that fits the chain is still not the one this home wrote last, or ""."""
        last = max(hashes, default=0)
        if seen is None:
            # A home that began this ledger has a witness of it.
            return (
                ""
                if head or not last
                else (
                    f"The head file {self._head_file} is that of an empty ledger, and this one has {last} "
                    "entries. Restore it from a copy."
                )
            )
        seq, own_hash = seen
        if seq == 0 or hashes.get(seq) == own_hash:
            return ""
        what = "it is missing now: the tail was cut" if seq > last else "it is another one now"
        return (
            f"This home has seen entry {seq}, and {what}. The head file, which names entry {head}, is "
            f"an older copy. Restore the ledger from a copy that has entry {seq}."
        )


def _compare_refusals(
    head: Head | None, rows: Sequence[RowMapping]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Problems and notes of the refusals against the head file's tally of them."""
    if head is None:
        return (), ()
    tally = head.refusals or RefusalTally()
    behind = sum(row["id"] > tally.last for row in rows)
    notes = (f"The head has not tallied the last {behind} refusals; the next entry does.",)
    return tally.problems(rows), notes if behind else ()


def _said_of_restore(entry: Entry) -> str:
    said = entry.dossier
    lost = said["lost"]["seen"] or said["lost"]["head"]
    ends, until = said["restored"]["seq"], lost[0] if lost else 0
    gone = (
        f"entries {ends + 1} to {until} of before are lost"
        if until > ends
        else ("nobody knows what came after it")
    )
    return (
        f"Entry {entry.seq}: on {entry.at:%Y-%m-%d} {said['requested_by']} and {entry.actor} took a "
        f"restored ledger that ends at entry {ends} for whole; {gone}. {said['reason']}"
    )


def _holds_rows(connection: Connection, table: str) -> bool:
    return connection.exec_driver_sql(f"SELECT 1 FROM {table} LIMIT 1").first() is not None


def _refusals_after(number: int) -> Select[Any]:
    return select(_REFUSALS).where(_REFUSALS.c.id > number).order_by(_REFUSALS.c.id)


def selected(
    entries: Sequence[Entry], case_type: str | None, as_of: datetime | None
) -> tuple[Entry, ...]:
    """Always a beginning of each case type's history, even where two machines' clocks disagree."""
    moment = None if as_of is None else in_utc(as_of)
    later: set[str] = set()
    selected: list[Entry] = []
    for entry in entries:
        if moment is not None and entry.at > moment:
            later.add(entry.case_type)
        if entry.case_type not in later and case_type in (None, entry.case_type):
            selected.append(entry)
    return tuple(selected)


def _chain_problems(rows: Sequence[_Row], after: Entry | None = None) -> tuple[str, ...]:
    """Each entry that is missing, edited or out of the chain, by its place.

    `after` is the last entry before these rows that is known to be intact.
    """
    problems: list[str] = []
    before_seq, before_hash = (after.seq, after.own_hash) if after else (0, GENESIS_HASH)
    for row in rows:
        seq = row["seq"]
        gap = range(before_seq + 1, seq)
        problems += [f"Entry {missing} was removed." for missing in gap]
        if not _is_as_written(row):
            problems.append(f"Entry {seq} was edited: its content no longer has its hash.")
        if not gap and row["previous_hash"] != before_hash:
            problems.append(
                f"Entry {seq} does not follow entry {before_seq}: one of the two was rewritten."
            )
        before_seq, before_hash = seq, row["own_hash"]
    return tuple(problems)


def _is_as_written(row: _Row) -> bool:
    try:
        entry = _entry(row)
        # Compared as text too: a stamp or dossier spelled in another way is an edit.
        return entry.is_intact and dict(row) == _entry_row(entry)
    except (ValueError, TypeError):
        return False


def _policy_problems(rows: Sequence[RowMapping], policies: Sequence[RowMapping]) -> tuple[str, ...]:
    edited = [row["policy_id"] for row in policies if not _policy_is_as_written(row)]
    kept = {row["policy_id"] for row in policies}
    lost = {row["policy_id"]: row["seq"] for row in reversed(rows) if row["policy_id"]}
    return (
        *(f"Policy {policy_id} was edited: its document has another hash." for policy_id in edited),
        *(
            f"Policy {policy_id}, named by entry {seq}, was removed."
            for policy_id, seq in sorted(lost.items(), key=lambda item: item[1])
            if policy_id not in kept
        ),
    )


def _policy_is_as_written(row: RowMapping) -> bool:
    if sha256_of(row["document"]) != row["policy_id"]:
        return False
    try:
        return bool(Policy.from_canonical(row["document"]).case_type == row["case_type"])
    except (ValueError, TypeError):
        return False


def _policy(connection: Connection, policy_id: str) -> Policy:
    row = connection.execute(select(_POLICIES).where(_POLICIES.c.policy_id == policy_id)).mappings()
    found = row.one_or_none()
    if found is None:
        raise UserError(
            f"No policy {policy_id!r} is kept in this ledger; give the full 64 hex digits."
        )
    if not _policy_is_as_written(found):
        raise GateRefused(
            f"Policy {policy_id} was edited: its document no longer has the hash that names it. "
            "Nothing is decided by it; restore the ledger from a copy."
        )
    return Policy.from_canonical(found["document"])


def _keep_policy(connection: Connection, policy: Policy) -> None:
    known = select(_POLICIES.c.policy_id).where(_POLICIES.c.policy_id == policy.policy_id)
    if connection.execute(known).one_or_none() is None:
        connection.execute(
            insert(_POLICIES).values(
                policy_id=policy.policy_id,
                case_type=policy.case_type,
                document=policy.canonical(),
            )
        )


def _unknown_policy(connection: Connection, command: Command) -> Refusal | None:
    """A proposal or promotion must name a policy that is kept, and kept for this case type."""
    policy_id = getattr(command, "policy_id", None)
    if policy_id is None:
        return None
    query = select(_POLICIES.c.case_type).where(_POLICIES.c.policy_id == policy_id)
    if connection.execute(query).scalar_one_or_none() == command.case_type:
        return None
    return Refusal(
        f"No policy {policy_id} is kept for {command.case_type}; record it first.",
        RefusalRule.POLICY_IS_KNOWN,
    )


def _with_policies(connection: Connection, history: Sequence[Entry], command: Command) -> Command:
    """A rollback with the two policies that it is about, and a proposal with the live one, as they are
    kept, whatever the command brought."""
    if isinstance(command, AcceptRestored):
        return replace(command, why="", lost={})  # whoever comes this way fits its head
    if isinstance(command, Propose):
        name = live_policy_id(history, command.case_type)
        return replace(command, live=None if name is None else _policy(connection, name))
    if not isinstance(command, RollBack | RequestRollBack):
        return command
    names = (
        live_policy_id(history, command.case_type),
        previous_policy_id(history, command.case_type),
    )
    live, target = (None if name is None else _policy(connection, name) for name in names)
    return replace(command, live=live, target=target)


def _head(connection: Connection) -> tuple[int, str]:
    query = select(_ENTRIES.c.seq, _ENTRIES.c.own_hash).order_by(_ENTRIES.c.seq.desc()).limit(1)
    last = connection.execute(query).one_or_none()
    return (0, GENESIS_HASH) if last is None else (last[0], last[1])


def _entry_row(entry: Entry) -> dict[str, Any]:
    return {
        **entry.fields(),
        "at": utc_stamp(entry.at),
        "dossier": canonical_json(entry.dossier),
        "previous_hash": entry.previous_hash,
        "own_hash": entry.own_hash,
    }


def _entry(row: _Row) -> Entry:
    said = {**row, "at": datetime.fromisoformat(row["at"]), "dossier": json.loads(row["dossier"])}
    return Entry(**said)


def _keep_refusal(
    connection: Connection, head: Head | None, refusal: Refusal, command: Command, at: datetime
) -> None:
    # Numbered here: a sequence of the database leaves gaps, and commits out of order.
    kept = connection.execute(select(func.max(_REFUSALS.c.id))).scalar_one() or 0
    tallied = head.refusals.last if head is not None and head.refusals is not None else 0
    row = {"id": max(kept, tallied) + 1, **_refusal_row(refusal, command, at)}
    connection.execute(insert(_REFUSALS).values(row))


def _refusal_row(refusal: Refusal, command: Command, at: datetime) -> dict[str, Any]:
    said = {"command": type(command).__name__, **_said(command)}
    return {
        "case_type": command.case_type,
        "rule": refusal.rule.value,
        "reason": refusal.reason,
        "actor": command.actor,
        "at": utc_stamp(at),
        "command": canonical_json(said),
    }


def _said(command: Command) -> dict[str, Any]:
    values = {item.name: getattr(command, item.name) for item in fields(command)}
    return {
        name: value.document() if isinstance(value, Policy) else value
        for name, value in values.items()
    }


def _kept_refusal(row: RowMapping) -> KeptRefusal:
    return KeptRefusal(
        case_type=row["case_type"],
        rule=RefusalRule(row["rule"]),
        reason=row["reason"],
        actor=row["actor"],
        at=datetime.fromisoformat(row["at"]),
        command=json.loads(row["command"]),
    )


def _broken(problems: Sequence[str]) -> str:
    return (
        f"The ledger is not as it was written, so nothing is decided by it. {' '.join(problems)} "
        "Run `ratchet ledger verify` and restore it from a copy."
    )
