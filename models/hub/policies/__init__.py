"""What a policy is: its canonical document, its audits, its rules, and what makes one narrower."""
