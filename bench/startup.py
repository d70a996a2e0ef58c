"""What one process costs: --help, a run with no work, the fast path, and where that time goes."""

from __future__ import annotations

from collections.abc import Sequence

from bench.costs import compare, cpu, ladder, runs, wall
from bench.figures import (
    Aim,
    Section,
    in_turns,
    median_ratio,
    paragraph,
    ratio,
)
from bench.stage import Stage
from bench.versions import kubectl

HELP_AIM = 2.5
FAST_PATH_AIM = 2.0


def startup(stage: Stage, rounds: int) -> Section:
    """Measure all of them."""
    fast = ("--key", "done", "--", "true")
    stage.processes.run(stage.migrate_once(*fast), stage.env)
    parts = [_help(stage, rounds), _no_work(stage, rounds), _fast_path(stage, rounds, fast)]
    parts.append(_where_the_time_goes(stage, rounds, fast))
    return Section(
        "\n\n".join(part.text for part in parts), [aim for part in parts for aim in part.aims]
    )


def _help(stage: Stage, rounds: int) -> Section:
    what = f"`agtool --help` / `kubectl --help`, wall: {HELP_AIM} or less"
    argvs = {"agtool": stage.agtool("--help")}
    if program := kubectl():
        argvs["kubectl"] = [str(program), "--help"]
    costs = in_turns("--help", rounds, runs(stage, **argvs))
    names = {"agtool": "`agtool --help`", "kubectl": "`kubectl --help`"}
    text = f"## Help\n\n{compare(names, costs)}"
    if "kubectl" not in costs:
        return Section(f"{text}\n\nkubectl is not built here.", [Aim(what, "no kubectl", None)])
    measured = median_ratio(wall(costs["agtool"]), wall(costs["kubectl"]))
    return Section(text, [Aim(what, ratio(measured), measured <= HELP_AIM)])


def _no_work(stage: Stage, rounds: int) -> Section:
    names = {
        "agtool": "`agtool migrate-once -- true`",
        "psql": "psql, the naive recipe around `true`",
        "flock": "`flock FILE true`",
    }
    contestants = runs(
        stage,
        agtool=stage.migrate_once("--", "true"),
        psql=stage.recipe("true"),
        flock=stage.flock("true"),
    )
    costs = in_turns("a run with no work", rounds, contestants)
    return Section(
        f"## A run with no work\n\n{compare(names, costs)}\n\n"
        + paragraph(
            "psql is PostgreSQL's own program, without Debian's wrapper in Perl. flock(1) speaks "
            "to no database and excludes on one host only; it is the floor."
        )
    )


def _fast_path(stage: Stage, rounds: int, fast: Sequence[str]) -> Section:
    names = {
        "agtool": "`agtool migrate-once --key KEY -- true`, KEY done before",
        "bare": "Python: import psycopg2, connect, SELECT 1",
    }
    contestants = runs(stage, agtool=stage.migrate_once(*fast), bare=stage.connect_and_select())
    costs = in_turns("the fast path", rounds, contestants)
    measured = median_ratio(cpu(costs["agtool"]), cpu(costs["bare"]))
    what = f"fast path / bare Python with psycopg2, CPU: {FAST_PATH_AIM:.0f} or less"
    return Section(
        f"## The fast path\n\n{compare(names, costs)}",
        [Aim(what, ratio(measured), measured <= FAST_PATH_AIM)],
    )


def _where_the_time_goes(stage: Stage, rounds: int, fast: Sequence[str]) -> Section:
    """A ladder: each process does what the one before did, and one thing more."""
    code = "pass"
    steps = {"Python itself, with this virtual environment": stage.python(code)}
    for name, more in {
        "`import typer`": "import typer",
        "agtool: its modules and its command line": "import agtool.app",
        "`import psycopg2`": "import psycopg2",
        "agtool: waiting and PostgreSQL": (
            "import agtool.migrate_once.run, agtool.migrate_once.engines.postgresql.backend"
        ),
        "connecting (scram-sha-256), one SELECT, disconnecting": stage.select,
    }.items():
        code = f"{code}; {more}"
        steps[name] = stage.python(code)
    fast_path = "the rest of the fast path: parsing, the transaction, what it says"
    whole = "the rest of a run: the lock, a second connection, the keeper, the command"
    steps[fast_path] = stage.migrate_once(*fast)
    steps[whole] = stage.migrate_once("--", "true")
    return Section(
        "## Where the time goes\n\n"
        + paragraph(
            "Each line is a process that does all of the lines above and one thing more. The last "
            "but one is the fast path, the last a run with no work. A difference below zero is "
            "the machine's noise."
        )
        + f"\n\n{ladder(rounds, runs(stage, **steps))}"
    )
