"""May a proof rest on the labels of the people behind it?"""

from models.reviewers.gates import judge_reviewers

__all__ = ["judge_reviewers"]
