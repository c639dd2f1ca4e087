"""Who may do what when: the rules between (history, command) and an entry or a refusal."""
