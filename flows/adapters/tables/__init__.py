"""Somebody else's tables, read in our names and types, and decisions written back."""
