"""How somebody's own tables become a project: columns read, words and numbers understood, the past imported."""
