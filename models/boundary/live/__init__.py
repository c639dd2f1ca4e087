"""Whether a live boundary still keeps its promise, and what to look at where it did not."""
