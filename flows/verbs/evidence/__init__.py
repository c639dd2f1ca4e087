"""What is stored becomes evidence: the truth of mature cases, the cohort in order, and whose labels it rests on."""
