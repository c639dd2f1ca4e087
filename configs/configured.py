"""Which columns do the configured case types read?"""

from __future__ import annotations

from collections.abc import Collection

from configs import settings


def configured_features(names: Collection[str] | None = None) -> set[str]:
    """The features and segments of these case types (None: of all in the folder of case types).

    Raises:
        UserError: a case type file says something it may not, with the line.
    """
    files = sorted((settings.CONFIGS / "case_types").glob("*.yaml"))
    kinds = [settings.load_case_type(file) for file in files if names is None or file.stem in names]
    return {name for kind in kinds for name in (*kind.feature_names, *kind.segments)}
