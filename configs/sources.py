"""Where do decisions, reviews, outcomes or history come from, and what are their columns called?"""

from __future__ import annotations

import codecs
import glob
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from configs.errors import UserError
from configs.number_styles import StatedNumbers
from configs.places import ratchet_data
from configs.source_names import TOLD_BY_TRUTH, refuse_names
from configs.validated import validated
from configs.yaml_lines import read_yaml
from models.vocabulary import AuditBudget, CaseType, Costs, Feature, Pattern, Staffing, Targets
from models.vocabulary.names import column_of, name_of

Days = Annotated[float, Field(gt=0, le=36_525)]
LARGEST_SEED = 2**31 - 1
_WALK_KEYS = ("warm_up_days", "step_days", "retrain_days", "seed")
_VARIABLE = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)\}")


class CaseTypeOverrides(BaseModel):
    """What a source file may say about one of its case types; the rest comes from the type's file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: tuple[str, ...] | None = None
    categorical: tuple[str, ...] | None = None
    may_be_missing: tuple[str, ...] | None = None
    turns_with_calendar: tuple[str, ...] | None = None
    monotone: dict[str, Literal[-1, 0, 1]] | None = None
    targets: Targets | None = None
    label_delay_days: Annotated[float, Field(ge=0, le=36_525)] | None = None
    audit_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    audit_budget: AuditBudget | None = None
    choose: Literal["widest", "cheapest"] | None = None
    costs: Costs | None = None
    staffing: Staffing | None = None
    segments: tuple[str, ...] | None = None
    senior_patterns: tuple[Pattern, ...] | None = None


class SourceSettings(CaseTypeOverrides):
    """One source file (DESIGN 4): a table somewhere, and how its columns map to ours.

    `columns` maps our names to theirs. How cells are written is said once for the source, by our
    column names: `missing` (words that mean nothing is known), `values` (their word to our value),
    `numbers` (for all, or by column), `scales` (a score in percent or log-odds), `dates` (day or month first), `epoch`
    (stamps that are numbers), `encoding` of a text file. Nothing of it is guessed. A `history` also
    says how it is walked; the other kinds may not.
    """

    name: str
    kind: Literal["history", "decisions", "reviews", "outcomes", "cases"]
    description: str = ""
    path: str | None = None
    url: str | None = None
    query: str | None = None
    timezone: str = "UTC"
    columns: dict[str, str] = Field(default_factory=dict)
    watermark: str | None = None
    case_type: str | None = None
    case_type_column: str | None = None
    case_types: dict[str, CaseTypeOverrides] = Field(default_factory=dict)
    missing: tuple[str, ...] = ()
    values: dict[str, dict[str, bool | int | float | str | None]] = Field(default_factory=dict)
    numbers: StatedNumbers | None = None
    scales: dict[str, Literal["percent", "log_odds"]] = Field(default_factory=dict)
    dates: Literal["dmy", "mdy", "ymd"] | None = None
    epoch: Literal["s", "ms", "us", "ns"] | None = None
    encoding: str | None = None
    warm_up_days: Days = 30
    step_days: Annotated[float, Field(ge=1 / 24, le=36_525)] = 1
    retrain_days: Days = 14
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)] = 0

    @model_validator(mode="after")
    def _says_where_and_what(self) -> SourceSettings:
        if (self.path is None) == (self.url is None):
            raise ValueError(
                "give either `path` (a Parquet or CSV file) or `url` with `query` (SQL)"
            )
        if self.url is not None and not self.query:
            raise ValueError("`url` needs a `query` that selects the rows")
        if self.encoding is not None and not _is_encoding(self.encoding):
            raise ValueError("`encoding` names no known encoding of text; write utf-8 or latin-1")
        if self.kind != "history":
            walked = [key for key in _WALK_KEYS if key in self.model_fields_set]
            if walked:
                raise ValueError(
                    f"{', '.join(f'`{key}`' for key in walked)} say how a history is walked; remove "
                    f"them from a source of {self.kind}"
                )
            return self
        if (self.case_type is None) == (self.case_type_column is None):
            raise ValueError(
                "a history names its `case_type`, or the `case_type_column` that holds it"
            )
        if "opened_at" not in self.columns:
            raise ValueError(
                "a history needs a time column: map it as `opened_at` under `columns:`; "
                "shuffled history proves nothing"
            )
        for ours in ("case_id", "bad"):
            if ours not in self.columns:
                raise ValueError(
                    f"map `{ours}` under `columns:`; a history cannot be walked without it"
                )
        if self.case_type_column is not None and not self.case_types:
            raise ValueError(
                "name the case types of `case_type_column` under `case_types:`; rows of others are "
                "left out"
            )
        return self

    def feature_columns(self, names: Collection[str]) -> dict[str, str]:
        """By the column that holds a feature inside (`models.vocabulary.names`): its column in the
        source, whose columns are `names`.

        A name that `columns:` maps stands for what it is mapped to. A name of ours (`score`,
        `amount_usd`) is the source's own column of that name, where there is one.
        """
        return {
            column_of(name): name
            if column_of(name) != name and name in names
            else self._mapped(name)
            for name in self._named("features")
        }

    def _mapped(self, name: str) -> str:
        # The truth, the id and the time are no features: who lists `bad` means a column called so.
        return name if name in TOLD_BY_TRUTH else self.columns.get(name, name)

    def categorical_columns(self) -> set[str]:
        """The columns inside of the features that are categories whatever they look like."""
        return {column_of(name) for name in self._named("categorical")}

    def inside(self, name: str) -> str:
        """The column inside that a name in this file means."""
        return column_of(name) if name in self._named("features") else name

    def _named(self, key: Literal["features", "categorical"]) -> list[str]:
        layers: list[CaseTypeOverrides] = [self, *self.case_types.values()]
        return [*dict.fromkeys(name for layer in layers for name in getattr(layer, key) or ())]

    def resolved_case_types(self, configured: Mapping[str, CaseType]) -> dict[str, CaseType]:
        """The case types of this history, with what this file says laid over what is configured.

        Raises:
            UserError: a case type that is configured nowhere names no features or no targets, or
                what is laid over does not fit (a category that is monotone, say).
        """
        try:
            return self._resolved(configured)
        except ValueError as unfit:
            raise UserError(f"Source {self.name!r}: {unfit}.") from None

    def _resolved(self, configured: Mapping[str, CaseType]) -> dict[str, CaseType]:
        if self.case_type is not None:
            return {self.case_type: _case_type(self.case_type, [self], configured)}
        return {
            name: _case_type(name, [self, own], configured) for name, own in self.case_types.items()
        }


def load_source(path: Path, env: Mapping[str, str] = os.environ) -> SourceSettings:
    """Read a source file; relative paths in it resolve against the file.

    Raises:
        UserError: the file says something it may not, with the line.
    """
    document = read_yaml(path)
    source = validated(SourceSettings, document)
    refuse_names(source, document, env)
    return source.model_copy(
        update={
            "path": _located(source.path, path, env),
            "url": _expanded(source.url, path, env),
            "query": _expanded(source.query, path, env),
        }
    )


def _is_encoding(name: str) -> bool:
    try:
        return bool(codecs.lookup(name)._is_text_encoding)  # rot13 is a codec, too
    except (LookupError, ValueError):
        return False


def _expanded(text: str | None, file: Path, env: Mapping[str, str]) -> str | None:
    if text is None:
        return None
    known = {**env, "RATCHET_DATA": str(ratchet_data(env))}

    def value(match: re.Match[str]) -> str:
        if match[1] not in known:
            raise UserError(
                f"{file}: the environment variable {match[1]} is not set; set it or write the path out."
            )
        return known[match[1]]

    return _VARIABLE.sub(value, text)


def _located(text: str | None, file: Path, env: Mapping[str, str]) -> str | None:
    expanded = _expanded(text, file, env)
    if expanded is None or "://" in expanded or Path(expanded).is_absolute():
        return expanded
    try:
        folder = file.resolve().parent
        found = (folder / expanded).resolve()
        if _is_pattern(expanded) and not found.exists() and found.is_relative_to(folder):
            # What the user wrote is a pattern; a sign in the name of the folder is just a sign.
            return str(Path(glob.escape(str(folder))) / found.relative_to(folder))
        return str(found)
    except (OSError, RuntimeError, ValueError) as problem:
        raise UserError(
            f"{file}: its `path` cannot be the path of a file ({type(problem).__name__}); correct it."
        ) from None


def _is_pattern(text: str) -> bool:
    return any(sign in text for sign in "*?[")


def _case_type(
    name: str, layers: list[CaseTypeOverrides], configured: Mapping[str, CaseType]
) -> CaseType:
    said: dict[str, Any] = {}
    for layer in layers:
        fields = CaseTypeOverrides.model_fields
        said |= {key: getattr(layer, key) for key in fields if getattr(layer, key) is not None}
    base = configured.get(name)
    if base is None:
        missing = [key for key in ("features", "targets") if not said.get(key)]
        if missing:
            raise UserError(
                f"case type {name!r} is in no case type file, so the source file must say its "
                f"{' and '.join(f'`{key}`' for key in missing)}."
            )
        base = CaseType(name, (Feature("-"),), said["targets"], said.get("label_delay_days", 0.0))
    features = _features(base, said)
    direct = {
        key: said[key]
        for key in (
            "targets",
            "audit_rate",
            "audit_budget",
            "choose",
            "costs",
            "staffing",
            "segments",
            "senior_patterns",
        )
        if key in said
    }
    own = {name_of(feature.name): feature.name for feature in features}
    if "segments" in direct:
        direct["segments"] = tuple(own.get(name, name) for name in said["segments"])
    if "senior_patterns" in direct:
        direct["senior_patterns"] = tuple(_inside(one, own) for one in said["senior_patterns"])
    return replace(
        base,
        features=features,
        maturity_days=said.get("label_delay_days", base.maturity_days),
        **direct,
    )


def _inside(pattern: Pattern, own: Mapping[str, str]) -> Pattern:
    """The pattern with its features' columns under the names that they have inside."""
    conditions = tuple(
        replace(one, column=own.get(one.column, one.column)) for one in pattern.conditions
    )
    return replace(pattern, conditions=conditions)


def _features(base: CaseType, said: Mapping[str, Any]) -> tuple[Feature, ...]:
    known = {name_of(feature.name): feature for feature in base.features}
    names = said.get("features") or [name for name in known if name != "-"]
    stray = sorted(
        {
            name
            for key in ("categorical", "may_be_missing", "turns_with_calendar", "monotone")
            for name in said.get(key, ())
        }
        - set(names)
    )
    if stray:
        raise UserError(
            f"case type {base.name!r}: {', '.join(map(repr, stray))} must be listed under `features:` too."
        )
    return tuple(
        _laid_over(known.get(name, Feature(column_of(name))), name, said) for name in names
    )


def _laid_over(feature: Feature, name: str, said: Mapping[str, Any]) -> Feature:
    if name in said.get("categorical", ()):
        feature = replace(feature, kind="categorical")
    if name in said.get("may_be_missing", ()):
        feature = replace(feature, may_be_missing=True)
    if name in said.get("turns_with_calendar", ()):
        feature = replace(feature, turns_with_calendar=True)
    if name in said.get("monotone", {}):
        feature = replace(feature, monotone=said["monotone"][name])
    return feature
