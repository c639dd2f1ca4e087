"""A proposed boundary is tried against today's: its plan, its days, its verdict."""
