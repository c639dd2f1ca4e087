"""What a ledger entry says, and what a history of entries says about a case type."""
