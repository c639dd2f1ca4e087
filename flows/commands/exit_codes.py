"""What does the exit code of a command say?"""

EXIT_BUG, EXIT_INPUT, EXIT_GATE, EXIT_SERVICE = 1, 2, 3, 4
