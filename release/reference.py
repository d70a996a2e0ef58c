"""The tables in docs/reference that are made from the program.

A page says where one belongs, and what it adds to what the program says of itself:

    <!-- options of ci-nodepool apply
    --selector: The jobs select all of them.
    -->
    (the table)
    <!-- end -->

So a table has each option, exit code or finding that there is and no other one, and an addition
to one that is gone is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from agtool.ci_nodepool.status.judge import WORST_FIRST
from release import ROOT
from release.described import Described, Option
from release.exits import exit_codes

FOLDER = ROOT / "docs" / "reference"
ENVIRONMENT = FOLDER / "environment.md"

_REGION = re.compile(
    r"^(?P<head><!-- (?P<kind>[a-z ]+) of (?P<names>[a-z, -]+?)"
    r"(?: -->|\n(?P<more>(?:.+\n)*?)-->)\n)(?:.*\n)*?(?P<end><!-- end -->)$",
    re.MULTILINE,
)

FINDINGS = {"ci-nodepool status": WORST_FIRST}
"""The codes of what a command can find, in the order in which it tells them."""


class PageError(Exception):
    """A page wants what there is not, or lacks what there is."""


def made(commands: Iterable[Described]) -> dict[Path, str]:
    """What is to stand in which file. Raises PageError."""
    known = {command.name.removeprefix("agtool "): command for command in commands}
    files = {path: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.md"))}
    filled = {path: _filled(path, text, known) for path, text in files.items() if "<!-- " in text}
    return {**filled, ENVIRONMENT: _environment_page(known.values())}


def _filled(path: Path, text: str, known: Mapping[str, Described]) -> str:
    def table(found: re.Match[str]) -> str:
        try:
            names = found["names"].split(", ")
            make = _KINDS[found["kind"]]
            rows = make([known[name] for name in names], _additions(found["more"] or ""))
        except (KeyError, PageError) as error:
            where = f"{path.relative_to(ROOT)}, {found['kind']} of {found['names']}"
            raise PageError(f"{where}: {error}") from None
        return found["head"] + "".join(f"{row}\n" for row in rows) + found["end"]

    return _REGION.sub(table, text)


def _additions(text: str) -> dict[str, str]:
    pairs = (line.partition(": ") for line in text.splitlines())
    return {name: addition for name, _, addition in pairs}


def _options(commands: list[Described], additions: dict[str, str]) -> Iterator[str]:
    by_name: dict[str, dict[str, Option]] = {}
    for command in commands:
        for option in command.options:
            by_name.setdefault(option.name, {})[command.name.rpartition(" ")[2]] = option
    _refuse_unknown(additions, by_name)
    rows = []
    for name, having in by_name.items():
        option = next(iter(having.values()))
        everywhere = len(having) == len(commands)
        rows.append(
            {
                "option": _names(option),
                "default": _plain(option.default),
                "environment variable": " ".join(f"`{one}`" for one in option.variables),
                "commands": "all" if everywhere else ", ".join(having),
                "meaning": f"{_marked(option)} {additions.get(name, '')}".strip(),
            }
        )
    if len(commands) == 1:
        for row in rows:
            row["commands"] = ""
    return _table(rows)


def _exit_codes(commands: list[Described], additions: dict[str, str]) -> Iterator[str]:
    (command,) = commands
    codes = exit_codes(command)
    _refuse_unknown(additions, codes)
    return _table(
        {"code": code, "meaning": f"{meaning} {additions.get(code, '')}".strip()}
        for code, meaning in codes.items()
    )


def _findings(commands: list[Described], additions: dict[str, str]) -> Iterator[str]:
    (command,) = commands
    codes = FINDINGS[command.name.removeprefix("agtool ")]
    _refuse_unknown(additions, codes)
    if lacking := [code for code in codes if not additions.get(code)]:
        raise PageError(f"nothing says what these mean: {', '.join(lacking)}")
    return _table({"code": f"`{code}`", "meaning": additions[code]} for code in codes)


_KINDS: Mapping[str, Callable[[list[Described], dict[str, str]], Iterator[str]]] = {
    "options": _options,
    "exit codes": _exit_codes,
    "findings": _findings,
}


def _refuse_unknown(additions: Iterable[str], known: Iterable[str]) -> None:
    if gone := set(additions) - set(known):
        raise PageError(f"there is no {', '.join(sorted(gone))}")


def _table(rows: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """A table in Markdown; columns in which nothing stands are left out."""
    all_rows = list(rows)
    columns = [name for name in all_rows[0] if any(row[name] for row in all_rows)]
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in all_rows:
        cells = (re.sub(r"(?<!\\)\|", r"\\|", row[name]) for name in columns)
        yield "|" + "".join(f" {cell} |" if cell else " |" for cell in cells)


def _names(option: Option) -> str:
    names = [*option.names]
    names[-1] = f"{names[-1]} {option.value}".rstrip()
    return ", ".join(f"`{name}`" for name in names)


def _plain(text: str) -> str:
    return re.sub(r"[<*_]", r"\\\g<0>", text)


def _marked(option: Option) -> str:
    """The meaning, with options and variables as code."""
    names = "|".join(map(re.escape, option.variables))
    pattern = r"(?<![\w`/-])--[a-z][a-z-]*" + (rf"|\b(?:{names})\b" if names else "")
    return re.sub(pattern, r"`\g<0>`", option.meaning)


_ENVIRONMENT = """\
# Environment variables

<!-- Made by `make reference` from the code. -->

An option goes before its environment variable, and this before the default. A variable that is
empty counts as not set.

{table}

These have no option:

| variable | meaning |
|---|---|
| `AGTOOL_COMPLETION_TIMEOUT` | Time for [completion](../how-to/completion.md). Default: 800ms. |
| `AGTOOL_TRACE` | A file to which `migrate-once` appends what it does to the lock. \
See [the lock's model](../explanation/lock-model/README.md). |
| `NO_COLOR` | Colours are not written, also to a terminal. |
"""


def _environment_page(commands: Iterable[Described]) -> str:
    found: dict[str, dict[str, list[str]]] = {}
    for command in commands:
        for option in command.options:
            for name in option.variables:
                places = found.setdefault(name, {}).setdefault(option.name, [])
                places.append(command.name)
    rows = (
        {
            "variable": f"`{name}`",
            "option": "<br>".join(f"`{option}`" for option in options),
            "of": "<br>".join(_shortened(places) for places in options.values()),
        }
        for name, options in sorted(found.items())
    )
    return _ENVIRONMENT.format(table="\n".join(_table(rows)))


def _shortened(commands: list[str]) -> str:
    """`agtool ci-nodepool label, taint`: the technique once."""
    first, *others = commands
    technique = " ".join(first.split()[:2])
    listed = [first]
    for other in others:
        same = other.startswith(f"{technique} ")
        listed.append(other.removeprefix(technique).strip() if same else other)
        technique = technique if same else " ".join(other.split()[:2])
    return ", ".join(f"`{one}`" for one in listed)
