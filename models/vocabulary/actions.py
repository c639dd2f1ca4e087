"""What may the agent and a reviewer say about a case?"""

from enum import StrEnum


class Action(StrEnum):
    """What the policy did with a case."""

    AUTO_PASS = "auto_pass"
    AUTO_BLOCK = "auto_block"
    ESCALATE = "escalate"


class Recommendation(StrEnum):
    """What the agent would do on its own: it leans to one side of every case it can score."""

    PASS = "pass"
    BLOCK = "block"


class ReviewVerdict(StrEnum):
    """What a reviewer decided; an escalation leaves the case open."""

    PASS = "pass"
    BLOCK = "block"
    ESCALATE = "escalate"


class ReviewLabel(StrEnum):
    """The agent's recommendation judged by the reviewer's verdict; positive means 'block'."""

    TRUE_POSITIVE = "TP"
    TRUE_NEGATIVE = "TN"
    FALSE_POSITIVE = "FP"
    FALSE_NEGATIVE = "FN"


class FeedbackPath(StrEnum):
    """Where a reviewer sends an error: feature weight (A), threshold (B), procedure (C)."""

    FEATURE_WEIGHT = "A"
    THRESHOLD = "B"
    PROCEDURE = "C"
    NONE = "none"


KEY_USER_PRIORITY = 75
"""At or above this priority (0 to 100) a case goes to a senior and is never decided automatically."""
