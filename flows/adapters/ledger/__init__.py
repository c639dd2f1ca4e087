"""The ledger, its head outside the database, and the secrets and tokens that it knows by their checks."""
