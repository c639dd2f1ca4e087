"""What did people set, and which of `env > profile > defaults` said it?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from configs.errors import UserError
from configs.places import PROJECT, located, ratchet_config, ratchet_home
from configs.validated import validated
from configs.yaml_lines import Document, Location, parse_yaml, read_yaml
from models.vocabulary import CaseType
from models.vocabulary.case_type import FourEyes
from models.vocabulary.names import is_reserved, same_spelling, why_mistakable, why_unprintable

CONFIGS = PROJECT / "configs"

# Read elsewhere, each for its own purpose; they are no settings.
RESERVED_VARIABLES = frozenset(
    {
        "RATCHET_HOME",
        "RATCHET_DATA",
        "RATCHET_CONFIG",
        "RATCHET_PROFILE",
        "RATCHET_PROJECT",
        "RATCHET_AUDIT_KEY",
        "RATCHET_ACTOR",
        "RATCHET_TOKEN",
        "RATCHET_KILL_POINT",
        "RATCHET_UP",
        "RATCHET_UP_ROLE",
        "RATCHET_LOG",
    }
)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Days = Annotated[float, Field(gt=0, le=36_525)]
"""A number of days that a calendar has room for."""


class Training(_Frozen):
    """How a risk model is fitted; the later share of the rows stops the fit and calibrates it, and
    the newest are kept to compare it with the present one."""

    rounds: Annotated[int, Field(ge=1, le=5000)]
    max_depth: Annotated[int, Field(ge=1, le=12)]
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    min_child_weight: Annotated[float, Field(ge=0)]
    row_share: Annotated[float, Field(gt=0, le=1)]
    column_share: Annotated[float, Field(gt=0, le=1)]
    early_stopping_rounds: Annotated[int, Field(ge=1, le=5000)]
    later_share: Annotated[float, Field(gt=0, lt=1)]
    compare_share: Annotated[float, Field(ge=0, lt=1)]
    retrain_days: Days
    hold_back_share: Annotated[float, Field(ge=0, lt=1)]


class Night(_Frozen):
    """How far back the night looks again, and what it asks of reviewers and of the evidence."""

    overlap_hours: Annotated[float, Field(ge=0, le=876_600)]
    reviewer_share_cap: Annotated[float, Field(gt=0, le=1)]
    second_review_share: Annotated[float, Field(ge=0, le=1)]
    second_review_days: Annotated[float, Field(ge=0, le=36_525)]
    drift_window_days: Days
    evidence_days: Days
    quiet_nights: Annotated[int, Field(ge=1, le=36_525)]
    hold_days: Days
    hold_rows: Annotated[int, Field(ge=1)]
    audit_grace_days: Annotated[float, Field(ge=0, le=36_525)]
    whole_read_days: Days


class Triage(_Frozen):
    """How often triage looks, how far back, and what it takes to be a finding."""

    every_days: Days
    window_days: Days
    q: Annotated[float, Field(gt=0, lt=0.5)]
    weight_margin: Annotated[float, Field(ge=0)]
    ignored_margin: Annotated[float, Field(ge=0)]
    least_effect: Annotated[float, Field(ge=0)]
    calibration_margin: Annotated[float, Field(ge=0)]
    fewest_errors: Annotated[int, Field(ge=1)]
    least_ratio: Annotated[float, Field(ge=1)]


class Alerts(_Frozen):
    """Who is told beside the alerts' file; an address may hold a token, so it is never shown."""

    webhook_url: Annotated[str | None, Field(pattern=r"^https?://", repr=False)]
    heartbeat_url: Annotated[str | None, Field(pattern=r"^https?://", repr=False)]
    smtp_url: Annotated[str | None, Field(pattern=r"^smtps?://", repr=False)]
    mail_from: str | None
    mail_to: tuple[str, ...]
    allow_private: tuple[str, ...]

    @model_validator(mode="after")
    def _mail_says_from_whom_to_whom(self) -> Alerts:
        if self.smtp_url is not None and not (self.mail_from and self.mail_to):
            raise ValueError("smtp_url needs mail_from and mail_to: from whom, and to whom")
        return self


class Sources(_Frozen):
    """The source files the live loop reads, relative to the clone; none: nothing is pulled."""

    decisions: str | None = None
    reviews: str | None = None
    outcomes: str | None = None
    cases: str | None = None


class Servers(_Frozen):
    """Where the servers of `ratchet up` listen on this machine, and where Prefect keeps its runs."""

    prefect_port: Annotated[int | None, Field(ge=1, le=65_535)]
    mlflow_port: Annotated[int | None, Field(ge=1, le=65_535)]
    prefect_database_url: str | None


class PastBias(_Frozen):
    """A feature that the labels of the demo's past blamed too much, or too little."""

    case_type: str
    feature: str
    factor: Annotated[float, Field(gt=0, le=100)]


class StoreSprint(_Frozen):
    """A draw from the store: on which night two people agree to it, up to which rate, and over how
    many days its audits are done."""

    case_type: str
    night: Annotated[int, Field(ge=1)]
    rate: Annotated[float, Field(gt=0, le=1)]
    days: Days


class Wave(_Frozen):
    """A fraud wave: on which night it begins, for how many days, and how well its cases are disguised
    (the fields of `models.simulation.Burst`)."""

    case_type: str
    night: Annotated[int, Field(ge=0)]
    days: Annotated[int, Field(ge=1)]
    disguise: Annotated[float, Field(ge=0, le=1)]
    disguised_features: Annotated[int, Field(ge=0)]
    volume_factor: Annotated[float, Field(gt=0)]
    ring_factor: Annotated[float, Field(gt=0)]


class Demo(_Frozen):
    """How large the simulated exchange of `ratchet demo` is, and what happens on it when."""

    case_types: Annotated[tuple[str, ...], Field(min_length=1)]
    nights: Annotated[int, Field(ge=1, le=3660)]
    history_days: Annotated[int, Field(ge=30, le=3660)]
    scale: Annotated[float, Field(gt=0, le=1000)]
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)]
    retrain_days: Annotated[int, Field(ge=1, le=36_525)]
    hold_back_share: Annotated[float, Field(ge=0, lt=1)]
    triage_days: Annotated[int, Field(ge=1, le=36_525)]
    past_bias: PastBias
    sprint: StoreSprint
    wave: Wave
    look_back_days: Days
    retrain_after_fall_days: Annotated[int, Field(ge=1, le=36_525)]


class Settings(_Frozen):
    """Everything people set, frozen; see `defaults.yaml` for what each key means."""

    profile: str
    case_types: Annotated[tuple[str, ...], Field(min_length=1)]
    database_url: str | None
    store_url: Annotated[str | None, Field(min_length=1, repr=False)]
    mlflow_tracking_uri: str | None
    four_eyes: FourEyes
    training: Training
    night: Night
    triage: Triage
    alerts: Alerts
    sources: Sources
    servers: Servers
    demo: Demo

    @property
    def home(self) -> Path:
        return ratchet_home()

    def load_case_types(self, env: Mapping[str, str] = os.environ) -> dict[str, CaseType]:
        """The configured case types by name, each from the user's own folder where its file is there.

        Raises UserError with the line of what is wrong.
        """
        folders = [one / "case_types" for one in (ratchet_config(env), CONFIGS) if one is not None]
        known = sorted({path.stem for each in folders for path in each.glob("*.yaml")})
        strange = [name for name in self.case_types if name not in known]
        if strange:
            raise UserError(
                f"`case_types` names {', '.join(map(ascii, strange))}, and "
                f"{' or '.join(map(str, folders))} has no such file; it has {', '.join(known)}."
            )
        return {
            name: load_case_type(located(f"case_types/{name}.yaml", below=CONFIGS, env=env))
            for name in self.case_types
        }


def load_case_type(path: Path) -> CaseType:
    """Read one case type file. Raises UserError with the line of what is wrong."""
    document = read_yaml(path)
    case_type = validated(CaseType, document)
    _refuse_names(case_type, document)
    return case_type


def _refuse_names(case_type: CaseType, document: Document) -> None:
    """Tables and people tell case types and features apart by their names."""
    wrong = []
    if why := why_mistakable(case_type.name):
        wrong.append(f"{document.place_of(('name',))}: the name of a case type {why}.")
    seen: dict[str, str] = {}
    for place, name in enumerate(case_type.feature_names):
        where = document.place_of(("features", place, "name"))
        before = seen.setdefault(same_spelling(name), name)
        if why := why_unprintable(name):
            wrong.append(f"{where}: a feature's name {why}; write the column's name.")
        elif before != name:
            wrong.append(f"{where}: the feature {name!r} is another spelling of {before!r}.")
        elif is_reserved(name):
            wrong.append(
                f"{where}: a feature cannot be called {name!r}: a column of ours has that name. Give "
                f"it another name, and map that name to {name!r} under `columns:` in the source files."
            )
    if wrong:
        raise UserError("\n".join(wrong))


def load_settings(
    profile: str | None = None, env: Mapping[str, str] = os.environ, folder: Path = CONFIGS
) -> Settings:
    """Read `defaults.yaml`, lay `profiles/PROFILE.yaml` over it, and the environment over both.

    The environment names a key as `RATCHET_` and its path joined by two underscores:
    `RATCHET_TRAINING__ROUNDS=200`. The profile comes from the argument, `RATCHET_PROFILE`, or is
    `local`; one in the user's own folder (`RATCHET_CONFIG`) lies over the one of that name here.

    Raises:
        UserError: an unknown key or profile, or a value of the wrong kind; with the line, or with
            the variable's name.
    """
    name = profile or env.get("RATCHET_PROFILE") or "local"
    own = ratchet_config(env)
    found = [
        path
        for each in (folder, own)
        if each is not None
        for path in sorted((each / "profiles").glob("*.yaml"))
    ]
    layers = [path for path in found if path.stem == name]
    if not layers:
        known = ", ".join(sorted({path.stem for path in found}))
        raise UserError(f"there is no profile {name!r}; the profiles are {known}.")
    documents = [read_yaml(folder / "defaults.yaml"), *map(read_yaml, layers)]
    documents.append(_from_environment(env))
    merged = Document(documents[0].name, {}, {})
    for document in documents:
        _refuse_unknown_keys(document, documents[0])
        merged.data = _laid_over(merged.data, document.data)
        merged.places |= document.places
    merged.data["profile"] = name
    return validated(Settings, merged)


def _from_environment(env: Mapping[str, str]) -> Document:
    data: dict[str, Any] = {}
    places: dict[Location, str] = {}
    for variable in sorted(env):
        if not variable.startswith("RATCHET_") or variable in RESERVED_VARIABLES:
            continue
        *parents, leaf = variable.removeprefix("RATCHET_").lower().split("__")
        group = data
        for parent in parents:
            group = group.setdefault(parent, {})
            if not isinstance(group, dict):
                raise UserError(
                    f"{variable}: another variable sets {parent!r} to one value, and this one sets a "
                    "key below it; unset one of them."
                )
        places[(*parents, leaf)] = variable
        group[leaf] = _plain_value(env[variable], variable)
    return Document("environment variables RATCHET_*", data, places)


def _plain_value(text: str, variable: str) -> Any:
    """What a variable says, read as strictly as a file; never shown, as it may hold a password."""
    document = parse_yaml(f"value: {text}", variable)
    if len(document.data) != 1:
        raise UserError(f"{variable}: holds more than one value; write it on one line.")
    return document.data["value"]


def _refuse_unknown_keys(document: Document, defaults: Document) -> None:
    """A key that no default has is a typing mistake, whichever layer it stands in."""
    wrong = [
        location for location in _leaves(document.data) if not _exists(location, defaults.data)
    ]
    if wrong:
        sentences = []
        for location in wrong:
            where = document.place_of(location)
            single = _single_value_above(location, defaults.data)
            if single is not None:  # what stands below it may be a password
                found = (
                    f"{single}: expected one value, found `key: value` pairs; put text in quotes"
                )
                sentences.append(f"{where}: {found}.")
                continue
            key = ".".join(location)
            sentences.append(f"{where}: unknown key {key!r}; `defaults.yaml` lists every key.")
        raise UserError("\n".join(sentences))


def _leaves(data: Mapping[str, Any], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for key, value in data.items():
        found += _leaves(value, (*above, key)) if isinstance(value, dict) else [(*above, key)]
    return found


def _exists(location: tuple[str, ...], data: Any) -> bool:
    for part in location:
        if not isinstance(data, dict) or part not in data:
            return False
        data = data[part]
    return True


def _single_value_above(location: tuple[str, ...], data: Any) -> str | None:
    """The setting that takes one value, where `location` lies below it."""
    for depth, part in enumerate(location):
        if not isinstance(data, dict):
            return ".".join(location[:depth])
        if part not in data:
            return None
        data = data[part]
    return None


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        is_group = isinstance(merged.get(key), dict)
        if is_group and value is None:
            continue  # `sources:` with nothing but comments below it says nothing
        both = is_group and isinstance(value, dict)
        merged[key] = _laid_over(merged[key], value) if both else value
    return merged
