"""When does a case's truth count, and who has the last word on it?"""

from models.truth.adjudication import settle
from models.truth.maturity import matured_before

__all__ = ["matured_before", "settle"]
