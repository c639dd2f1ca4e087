"""Commands that read or change who decides: the ledger, people, brakes, sprints and cases."""
