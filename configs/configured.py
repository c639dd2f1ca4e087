"""Which columns do the configured case types read?"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

from configs import settings
from configs.places import ratchet_config


def configured_features(
    names: Collection[str] | None = None, env: Mapping[str, str] = os.environ
) -> set[str]:
    """The features and segments of these case types (None: of all in the folders of case types).

    A file in the user's own folder (RATCHET_CONFIG) counts before the one of that name in the clone.

    Raises:
        UserError: a case type file says something it may not, with the line.
    """
    folders = [one for one in (settings.CONFIGS, ratchet_config(env)) if one is not None]
    files = {file.stem: file for one in folders for file in sorted(one.glob("case_types/*.yaml"))}
    kinds = [
        settings.load_case_type(file)
        for stem, file in files.items()
        if names is None or stem in names
    ]
    return {name for kind in kinds for name in (*kind.feature_names, *kind.segments)}
