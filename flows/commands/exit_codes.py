"""What does the exit code of a command say? 0: done; 1: our bug."""

EXIT_INPUT, EXIT_GATE, EXIT_SERVICE = 2, 3, 4
