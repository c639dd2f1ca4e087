"""How did the ledger stand when a judgement began, and did it still stand so when the judgement asked for something?"""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

from flows.adapters.ledger.ledger import Ledger, Verification, selected
from models.hub import GENESIS_HASH, Command, Entry, Policy, Refusal, live_policy_id


class LedgerSnapshot:
    """The ledger as it stood at one moment: read once, and asked as the ledger itself.

    What is judged on it names its versions as the base of a command, so that compare-and-swap guards
    the whole of the judgement and not only its last read (issue 15). An entry that the snapshot's own
    commands make is added to it; what others write in between shows for a case type only after
    `refresh`, and until then a command about that case type is refused as stale.
    """

    def __init__(self, ledger: Ledger) -> None:
        """Read everything now.

        Raises:
            GateRefused: the ledger is not as it was written, or has no valid head.
            ServiceUnreachable: the database does not answer.
        """
        self._ledger = ledger
        self._entries: tuple[Entry, ...] = ledger.history()
        self._policies: dict[str, Policy] = {}

    def history(
        self, case_type: str | None = None, as_of: datetime | None = None
    ) -> tuple[Entry, ...]:
        """As `Ledger.history`, of the snapshot."""
        return selected(self._entries, case_type, as_of)

    def policy(self, policy_id: str) -> Policy:
        """As `Ledger.policy`; a policy's document never changes, so it is read once."""
        if policy_id not in self._policies:
            self._policies[policy_id] = self._ledger.policy(policy_id)
        return self._policies[policy_id]

    def live_policy(self, case_type: str, as_of: datetime | None = None) -> Policy | None:
        """As `Ledger.live_policy`, of the snapshot."""
        policy_id = live_policy_id(self.history(case_type, as_of), case_type)
        return None if policy_id is None else self.policy(policy_id)

    def head(self) -> tuple[int, str]:
        """The place and hash of the snapshot's last entry; (0, zeros) where it has none."""
        last = self._entries[-1] if self._entries else None
        return (0, GENESIS_HASH) if last is None else (last.seq, last.own_hash)

    def submit(self, command: Command, at: datetime) -> Entry | Refusal:
        """As `Ledger.submit`; the entry is part of the snapshot from then on."""
        answer = self._ledger.submit(command, at)
        if isinstance(answer, Entry):
            self._entries = (*self._entries, answer)
        return answer

    def refresh(self, case_type: str) -> None:
        """Take over what others have written about one case type; the others stay as they stood."""
        kept = [entry for entry in self._entries if entry.case_type != case_type]
        entries = [*kept, *self._ledger.history(case_type)]
        self._entries = tuple(sorted(entries, key=lambda entry: entry.seq))

    def policy_ids(self) -> frozenset[str]:
        return self._ledger.policy_ids()

    def record_policy(self, policy: Policy) -> str:
        return self._ledger.record_policy(policy)

    def verify(self) -> Verification:
        return self._ledger.verify()

    def one_reader(self) -> AbstractContextManager[None]:
        return self._ledger.one_reader()

    @property
    def file(self) -> Path | None:
        return self._ledger.file

    @property
    def written(self) -> Ledger:
        return self._ledger
