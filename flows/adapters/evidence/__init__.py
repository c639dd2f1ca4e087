"""The store of evidence: immutable parts of rows, their index, and reads as of a moment."""
