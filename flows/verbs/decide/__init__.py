"""Cases get an action under the live policy, here or at another agent, and models score in shadow."""
