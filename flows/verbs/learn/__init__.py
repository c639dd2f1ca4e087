"""A challenger is fitted, compared with the champion, and filed with its lineage."""
