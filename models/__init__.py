"""What can be computed: pure functions and frozen values, without files, clocks, servers or global randomness."""
