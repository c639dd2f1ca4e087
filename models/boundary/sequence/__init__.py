"""The certification cohort, its table of looks, and what one generation has proven so far."""
