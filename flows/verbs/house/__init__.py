"""The home itself: servers, health, backups, erasure, a team's machines, and what must be put right."""
