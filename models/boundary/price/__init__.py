"""What the next notch costs in labels, days and money."""
