"""Why the model erred, and which tickets follow from it."""
