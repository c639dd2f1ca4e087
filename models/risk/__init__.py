"""Fitting a risk model and scoring cases with it."""

from models.risk.calibration import PlattCalibration, fit_platt
from models.risk.candidates import Candidate, Choice, choose
from models.risk.model import RiskModel
from models.risk.training import TrainedModel, TrainingPlan, train

__all__ = [
    "Candidate",
    "Choice",
    "PlattCalibration",
    "RiskModel",
    "TrainedModel",
    "TrainingPlan",
    "choose",
    "fit_platt",
    "train",
]
