"""Worlds with known truth, histories that are revealed step by step, and the queue of people."""

from models.simulation.burst import Burst
from models.simulation.exchange import Exchange
from models.simulation.revealed_history import RevealedHistory
from models.simulation.simulated_upstream import SimulatedUpstream

__all__ = ["Burst", "Exchange", "RevealedHistory", "SimulatedUpstream"]
