"""The verbs of the loop as plain functions, a room for each part of its story; `night` runs them in order."""
