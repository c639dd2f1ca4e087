"""Simulated windows of cases whose distributions and risks are known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.drift import Sample
from models.vocabulary import Boundary

CUTS = Boundary(0.1, 0.8)


def window(
    generator: np.random.Generator,
    cases: int,
    *,
    shift: float = 0.0,
    new_level: float = 0.0,
    missing: float = 0.05,
    miss_factor: float = 1.0,
    audit: float = 0.2,
) -> Sample:
    """Simulated cases; cases that pass are audited at a rate, all others labelled.

    Args:
        shift: added to the feature `amount`, in standard deviations; new_level: share of a category
            that is not there otherwise; missing: share of missing ages; miss_factor: by which the
            bad rate of the pass zone (4 %) is off.
    """
    score = generator.beta(0.4, 1.6, cases)
    zone_pass = score <= 0.1
    chance = np.where(zone_pass, 0.04 * miss_factor, score)
    propensity = np.where(zone_pass, audit, 1.0)
    truth = (generator.random(cases) < chance).astype(float)
    country = generator.choice(np.array(["DE", "SG", "BR"], dtype=object), cases, p=[0.6, 0.3, 0.1])
    country[generator.random(cases) < new_level] = "XX"
    age = generator.integers(18, 80, cases).astype(float)
    age[generator.random(cases) < missing] = np.nan
    features = pd.DataFrame(
        {
            "amount": generator.lognormal(4 + shift, 1.0, cases),
            "age": age,
            "logins": generator.poisson(1.5, cases),
            "vip": generator.random(cases) < 0.3,
            "country": pd.Series(country, dtype="str"),
        }
    )
    bad = np.where(generator.random(cases) < propensity, truth, np.nan)
    return Sample(score, features, bad, propensity, CUTS)
