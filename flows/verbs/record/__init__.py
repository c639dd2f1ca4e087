"""What was decided is told again: dossiers, last nights, explanations, figures for monitoring."""
