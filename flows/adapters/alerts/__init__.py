"""Who is told what has to be looked at, and what is logged."""
