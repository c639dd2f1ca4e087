"""Type C: the operating procedure has a gap."""
