"""Who may change the live policy: proposals, approvals, promotions, rollbacks and brakes, each a ledger entry."""
