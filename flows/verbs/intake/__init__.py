"""What comes in is admitted or put into quarantine by name, and labels unlike their past wait on hold."""
