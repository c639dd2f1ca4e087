"""One file a step; a step that was ever released is never edited, a change is a new step."""
