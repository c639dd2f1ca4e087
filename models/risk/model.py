"""What is a risk model: the bytes of its trees, and all it takes to score a case with them?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xgboost as xgb
from scipy.special import expit

from models.risk.calibration import PlattCalibration
from models.risk.contributions import Contributions, contributions, tables_of
from models.risk.encoding import Levels, encode, encode_scorable
from models.risk.lookup_tables import Tables
from models.risk.tree_names import named_for_trees
from models.vocabulary import Feature

FloatArray = npt.NDArray[np.float64]

_CARD = "ratchet"


@dataclass(frozen=True)
class RiskModel:
    """One case type's model as a value: everything below is stored inside the UBJ bytes.

    Attributes:
        ubj: the booster in XGBoost's UBJSON format; its attribute `ratchet` holds the rest.
        features: in the order of the trees.
        levels: the categories of each categorical feature, in code order.
        calibration: from margin (log-odds) to probability, fitted on a later slice.
        reference_scores: calibrated scores of the later slice at 1,024 evenly spaced ranks,
            increasing. Candidate boundaries are laid out on them, so they are fixed before any
            certifying evidence is seen.
    """

    ubj: bytes = field(repr=False)
    features: tuple[Feature, ...]
    levels: Levels
    calibration: PlattCalibration
    reference_scores: tuple[float, ...] = field(repr=False)
    booster: xgb.Booster = field(repr=False, compare=False)

    @classmethod
    def from_booster(
        cls,
        booster: xgb.Booster,
        features: Sequence[Feature],
        levels: Levels,
        calibration: PlattCalibration,
        reference_scores: Sequence[float],
    ) -> RiskModel:
        """Write all that scoring takes into the booster, and freeze it."""
        card = {
            "features": [
                {
                    "name": feature.name,
                    "kind": feature.kind,
                    "monotone": feature.monotone,
                    "may_be_missing": feature.may_be_missing,
                }
                for feature in features
            ],
            "levels": {name: list(values) for name, values in levels.items()},
            "calibration": {"slope": calibration.slope, "intercept": calibration.intercept},
            "reference_scores": [float(score) for score in reference_scores],
        }
        booster.set_attr(**{_CARD: json.dumps(card, sort_keys=True, allow_nan=False)})
        return cls.from_bytes(bytes(booster.save_raw("ubj")))

    @classmethod
    def from_bytes(cls, ubj: bytes) -> RiskModel:
        """Load from bytes whose digest the caller has already checked (FAULTS 8).

        Raises:
            ValueError: the bytes hold a booster that Ratchet did not write.
        """
        booster = xgb.Booster()
        booster.load_model(bytearray(ubj))
        written = booster.attr(_CARD)
        if written is None:
            raise ValueError(
                "this booster carries no Ratchet card; register it through `ratchet retrain`"
            )
        card: dict[str, Any] = json.loads(written)
        return cls(
            ubj=ubj,
            features=tuple(Feature(**feature) for feature in card["features"]),
            levels={name: tuple(values) for name, values in card["levels"].items()},
            calibration=PlattCalibration(**card["calibration"]),
            reference_scores=tuple(card["reference_scores"]),
            booster=booster,
        )

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the bytes: the model's name in a policy."""
        return hashlib.sha256(self.ubj).hexdigest()

    @property
    def feature_names(self) -> list[str]:
        return [feature.name for feature in self.features]

    def margins(self, cases: pd.DataFrame) -> FloatArray:
        """Uncalibrated log-odds of 'bad', shape (cases,)."""
        return self._margins(encode(cases, self.features, self.levels))

    def _margins(self, rows: pd.DataFrame) -> FloatArray:
        data = xgb.DMatrix(named_for_trees(rows), enable_categorical=True)
        return self.booster.predict(data, output_margin=True).astype(np.float64)

    def score(self, cases: pd.DataFrame) -> tuple[FloatArray, npt.NDArray[np.str_]]:
        """Calibrated probability of 'bad' (NaN where a case cannot be scored), and why not ("")."""
        rows, reason = encode_scorable(cases, self.features, self.levels)
        scores = np.full(len(cases), np.nan)
        if len(rows):
            scores[reason == ""] = self.calibration.probability(self._margins(rows))
        return scores, reason

    def score_and_contributions(
        self, cases: pd.DataFrame
    ) -> tuple[FloatArray, npt.NDArray[np.str_], Contributions]:
        """What `score` and `contributions` say, to the bit, with the cases read once."""
        rows, reason = encode_scorable(cases, self.features, self.levels)
        told = self._contributions(rows, reason, threads=1, seed=0)
        return expit(told.margin), reason, told

    def contributions(
        self,
        cases: pd.DataFrame,
        *,
        reason: npt.NDArray[np.str_] | None = None,
        threads: int = 1,
        seed: int = 0,
    ) -> Contributions:
        """What each feature adds to the calibrated log-odds: logit(score) = bias + their sum.

        Cases that cannot be scored (see `encode_scorable`) get NaN.

        Args:
            cases: one row a case, with every feature column.
            reason: why each cannot be scored (""), where `score` has already said so.
            threads: parts of the rows looked up at a time.
            seed: of the sample that is compared with XGBoost's own values.
        """
        if reason is None:
            rows, reason = encode_scorable(cases, self.features, self.levels)
        else:
            scorable = reason == ""
            some = cases if scorable.all() else cases[scorable]
            rows = encode(some, self.features, self.levels)
        return self._contributions(rows, reason, threads, seed)

    def _contributions(
        self, rows: pd.DataFrame, reason: npt.NDArray[np.str_], threads: int, seed: int
    ) -> Contributions:
        """Of the encoded rows of those cases that have no reason against it."""
        scorable = reason == ""
        raw = contributions(self.booster, self.lookup, rows, threads=threads, seed=seed)
        slope, intercept = self.calibration.slope, self.calibration.intercept
        margin = np.full(len(reason), np.nan)
        margin[scorable] = slope * raw.margin + intercept
        by_feature = np.full((len(self.features), len(reason)), np.nan)
        by_feature[:, scorable] = slope * raw.values.T
        bias = slope * raw.bias + intercept
        return replace(raw, margin=margin, bias=bias, values=by_feature.T)

    @cached_property
    def lookup(self) -> Tables | str:
        """The tables that contributions are looked up in, made on first use, or why there are none."""
        return tables_of(self.booster)
