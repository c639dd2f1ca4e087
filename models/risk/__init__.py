"""Fitting a risk model, scoring cases with it, and saying what each feature contributed."""

from models.risk.calibration import PlattCalibration, fit_platt
from models.risk.candidates import Candidate, Choice, choose
from models.risk.contributions import Contributions
from models.risk.model import RiskModel
from models.risk.training import TrainedModel, TrainingPlan, train

__all__ = [
    "Candidate",
    "Choice",
    "Contributions",
    "PlattCalibration",
    "RiskModel",
    "TrainedModel",
    "TrainingPlan",
    "choose",
    "fit_platt",
    "train",
]
