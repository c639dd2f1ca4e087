"""Type A: a feature's weight is wrong."""
