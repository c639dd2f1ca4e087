"""What happens to each case under a boundary, and which cases are audited."""
