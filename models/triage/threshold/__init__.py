"""Type B: the score does not mean what it says."""
