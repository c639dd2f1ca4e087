"""What a person reads once a project folder is written: what was guessed, left out, and what is next."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flows.verbs.onboarding.init_project import Project


def told_of(project: Project) -> Iterator[str]:
    """Line by line: the table, the guesses, the features, what was left out, what was written."""
    share = "" if project.bad_share is None else f"; {project.bad_share:.2%} of the cases are bad"
    yield (
        f"{project.rows:,} rows of {project.columns} columns, taken for {_WORDS[project.kind]}{share}."
    )
    if project.told:
        yield "\nGuessed, or told while reading:"
        yield from (f"  {_plain(sentence)}" for sentence in project.told)
    if project.label:
        yield ""
        yield from map(_plain, project.label)
    kinds = Counter(str(one.column.kind) for one in project.features)
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    many = "feature" if len(project.features) == 1 else "features"
    yield f"\n{len(project.features)} {many} ({counted or 'none'}). Left out:"
    for one in project.left_out:
        yield f"  {_plain(one.name)}: {_plain(one.why)}."
    if not project.left_out:
        yield "  nothing."
    leaks = [one.name for one in project.left_out if one.leak is not None]
    if leaks:
        yield (
            f"\nLeak: {', '.join(map(_plain, leaks))} all but repeat{'s' if len(leaks) == 1 else ''} the "
            "label. A model that reads it proves nothing of new cases; see when it is filled in."
        )
    yield f"\nWritten to {project.folder}:"
    yield from (f"  {name}" for name in project.files)
    if project.to_do and len(project.files) > 1:
        files = ", ".join(f"sources/{name}.yaml" for name in project.to_do)
        yield (
            f"Where these tables are is yours to fill in, then take their # away in profiles/local.yaml: "
            f"{files}."
        )


def _home_of(folder: Path) -> Path:
    """A home beside the project, named after it: two projects must not store into one."""
    name = folder.name
    stem = name.removesuffix("project").rstrip("-_.") if name.endswith("project") else name
    return folder.with_name(f"{stem}-home" if stem else "home")


def next_commands(project: Project) -> list[str]:
    """What to run next, in order."""
    folder = shlex.quote(str(project.folder))
    name = next(iter(project.files))
    if len(project.files) == 1:
        return [
            f"# read {name}, then add it to `case_types:` in {folder}/profiles/local.yaml",
            "ratchet check",
        ]
    home = shlex.quote(str(_home_of(project.folder)))
    commands = [
        f"export RATCHET_CONFIG={folder}",
        f"export RATCHET_HOME={home}  # what is stored; a project has its own",
        f"# read {name}, then:",
        "ratchet check",
    ]
    if project.kind == "history" and not project.external:
        commands.append(f"ratchet import-history {folder}/sources/history.yaml")
    if {"decisions", "reviews"} & set(project.named):
        commands.append("ratchet night")
    elif project.external:
        commands.append("# name the agent's decisions and reviews in sources/, then: ratchet night")
    if project.kind == "cases" and not project.external:
        return [*commands, "ratchet decide"]
    return [*commands, "ratchet proposals"]


def as_plain(project: Project) -> dict[str, Any]:
    """As JSON has it."""
    return {
        "folder": str(project.folder),
        "files": list(project.files),
        "kind": project.kind,
        "rows": project.rows,
        "bad_share": project.bad_share,
        "label": [
            {"word": one.word, "rows": one.rows, "read_as": one.read_as}
            for one in project.label_words
        ],
        "told": list(project.told),
        "features": [
            {"name": one.name, "column": one.column.name, "kind": one.column.kind,
             "missing": one.column.missing, "levels": len(one.levels)}
            for one in project.features
        ],
        "left_out": [
            {"column": one.name, "why": one.why, "leak_auc": one.leak} for one in project.left_out
        ],
        "sources_named": list(project.named),
        "sources_to_do": list(project.to_do),
    }  # fmt: skip


_WORDS = {
    "history": "past cases whose truth is known",
    "decisions": "decisions of an agent",
    "cases": "new cases",
}


def _plain(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text)
