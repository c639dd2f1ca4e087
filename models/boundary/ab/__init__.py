"""Whether a new boundary may replace today's after both were tried."""
