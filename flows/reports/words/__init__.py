"""Results as sentences and tables for people."""
