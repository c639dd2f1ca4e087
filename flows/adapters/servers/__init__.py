"""Servers and processes: how they are started, watched and ended, and what they answer."""
