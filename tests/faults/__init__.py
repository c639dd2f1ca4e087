"""What must survive: each module is one statement about a fault, and injects it."""
