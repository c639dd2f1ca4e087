"""Commands about the home itself: servers, health, backups, erasure, team."""
