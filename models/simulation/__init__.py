"""Worlds with known truth, and histories that are revealed step by step."""

from models.simulation.burst import Burst
from models.simulation.exchange import Exchange
from models.simulation.revealed_history import RevealedHistory
from models.simulation.simulated_upstream import SimulatedUpstream

__all__ = ["Burst", "Exchange", "RevealedHistory", "SimulatedUpstream"]
