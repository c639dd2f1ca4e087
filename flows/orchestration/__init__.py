"""What makes verbs into flows: Prefect tasks, artifacts, events, approvals, and a server of one's own."""
