"""What a moved threshold would have done to past cases, to errors, and to the queue."""
