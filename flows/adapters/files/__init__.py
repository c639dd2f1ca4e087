"""Files: whole or not there, private, shared by a team, or in a backup."""
