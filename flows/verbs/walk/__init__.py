"""The loop is walked over a history or a simulated exchange, and judged against the truth."""
