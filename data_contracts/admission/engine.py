"""Does Great Expectations, asked for the rules that it knows by itself, count the same failing rows?"""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd

from data_contracts.admission.reading import BatchRefused
from data_contracts.contract import Contract, NativeCheck, RowRule

_ENGINE_LOCK = threading.Lock()


def check_natively(typed: pd.DataFrame, contract: Contract, kept: pd.DataFrame) -> None:
    """Refuses the batch where an expectation raised or counts other failing rows than our mask.

    The engine is asked for the rules that it states by itself (a column's nulls, range, set or
    uniqueness). Of the others our mask is the rule, and there is no second road (docs/adr/0040).
    """
    rules = [rule for rule in contract.row_rules if rule.native is not None]
    if not rules:
        return
    try:
        failing = _native_failures(typed, rules)
    except BatchRefused:
        raise
    except Exception as error:
        raise BatchRefused(
            "great_expectations",
            f"Great Expectations raised {type(error).__name__}; nothing is admitted until it runs.",
        ) from None
    for rule in rules:
        by_mask = int((~kept[rule.name]).sum())
        if failing[rule.name] != by_mask:
            raise BatchRefused(
                rule.name,
                f"Two ways to judge {rule.name!r} disagree ({by_mask} against "
                f"{failing[rule.name]} failing rows); nothing is admitted until they agree.",
            )


def _native_failures(typed: pd.DataFrame, rules: Sequence[RowRule]) -> dict[str, int]:
    """Failing rows by rule as Great Expectations counts them; nulls fail unless the rule says so."""
    judged = typed[sorted({_native(rule).column for rule in rules})]
    results = _run_suite(judged, rules)
    _refuse_raised(results, rules, len(typed))
    return {
        rule.name: _failing_rows(result, _native(rule))
        for rule, result in zip(rules, results, strict=False)
    }


def _native(rule: RowRule) -> NativeCheck:
    if rule.native is None:
        raise AssertionError(f"{rule.name} is no rule that the engine knows")
    return rule.native


def _refuse_raised(results: list[Any], rules: Sequence[RowRule], rows: int) -> None:
    if len(results) != len(rules) + 1:
        raise BatchRefused(
            "great_expectations",
            f"Great Expectations answered {len(results)} of {len(rules) + 1} expectations; nothing "
            "is admitted until it answers all.",
        )
    names = [*(rule.name for rule in rules), "batch_is_not_empty"]
    for name, result in zip(names, results, strict=True):
        if _raised(result.exception_info) or not result.result:
            raise BatchRefused(
                name,
                f"Great Expectations raised inside {name!r}; nothing is admitted until it does not.",
            )
    if not results[-1].success or results[-1].result["observed_value"] != rows:
        raise BatchRefused(
            "batch_is_not_empty", f"Great Expectations did not see the {rows} rows of the batch."
        )


def _raised(info: Mapping[str, Any] | None) -> bool:
    """Exceptions stand in the info itself, or one level down under the metric that raised."""
    if not info:
        return False
    if "raised_exception" in info:
        return bool(info["raised_exception"])
    return any(bool(part.get("raised_exception")) for part in info.values())


def _failing_rows(result: Any, native: NativeCheck) -> int:
    counts = result.result
    nulls_fail = native.kind != "not_null" and not native.nulls_pass
    nulls = int(counts["missing_count"]) if nulls_fail else 0
    if result.success != (int(counts["unexpected_count"]) == 0):
        return -1  # the verdict and its own count disagree, so the mask cannot agree with it
    return int(counts["unexpected_count"]) + nulls


def _run_suite(judged: pd.DataFrame, rules: Sequence[RowRule]) -> list[Any]:
    """One result a rule in the rules' order, then the row count's."""
    with _ENGINE_LOCK, _quiet_engine():
        definition = _batch_definition()
        import great_expectations as gx

        expectations = [_expectation(rule) for rule in rules]
        expectations.append(_expectation_types().ExpectTableRowCountToBeBetween(min_value=1))
        suite = gx.ExpectationSuite(name="admission", expectations=expectations)
        outcome = definition.get_batch({"dataframe": judged}).validate(
            suite,
            # BASIC counts what SUMMARY counts, in half the time; no value leaves the engine.
            result_format={
                "result_format": "BASIC",
                "exclude_unexpected_values": True,
                "partial_unexpected_count": 0,
            },
        )
    return _in_order(outcome.results, rules)


def _in_order(results: Iterable[Any], rules: Sequence[RowRule]) -> list[Any]:
    """Results come back in any order, so each expectation carries its check's name."""
    by_name = {(result.expectation_config.meta or {}).get("check"): result for result in results}
    wanted = [*(rule.name for rule in rules), None]
    return [by_name[name] for name in wanted if name in by_name]


def _expectation(rule: RowRule) -> Any:
    gxe = _expectation_types()
    meta, native = {"check": rule.name}, _native(rule)
    if native.kind == "not_null":
        return gxe.ExpectColumnValuesToNotBeNull(column=native.column, meta=meta)
    if native.kind == "unique":
        return gxe.ExpectColumnValuesToBeUnique(column=native.column, meta=meta)
    if native.kind == "in_set":
        return gxe.ExpectColumnValuesToBeInSet(
            column=native.column, value_set=list(native.values), meta=meta
        )
    return gxe.ExpectColumnValuesToBeBetween(
        column=native.column, min_value=native.low, max_value=native.high, meta=meta
    )


def _expectation_types() -> Any:
    import great_expectations.expectations as gxe

    return gxe


@functools.lru_cache(maxsize=1)
def _batch_definition() -> Any:
    """One ephemeral context a process, made at first use: importing the engine takes 7 s."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        # Without this every context leaves a temporary folder of documentation behind.
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars=ProgressBarsConfig(globally=False),
    )
    engine = gx.get_context(mode="ephemeral", project_config=config)
    asset = engine.data_sources.add_pandas("batches").add_dataframe_asset("batch")
    return asset.add_batch_definition_whole_dataframe("whole")


@contextmanager
def _quiet_engine() -> Iterator[None]:
    """The engine's own log lines may hold values of rows; what went wrong is in its results."""
    logger = logging.getLogger("great_expectations")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)
