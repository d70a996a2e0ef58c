"""Spin: from a model to a verdict, and to the steps that lead to a violation."""

import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

MODEL = Path(__file__).parents[2] / "docs" / "explanation" / "lock-model" / "lock.pml"

_DEPTH = 1_000_000
"""Steps that one run of the model may have; the longest have some 500."""


class Step(NamedTuple):
    """What happened: which invocation, and what."""

    who: int
    what: str


class Verdict(NamedTuple):
    """What became of a check.

    Attributes:
        holds: whether no violation is there.
        states: how many there were to look at.
        problem: which assertion failed, as Spin writes it; empty: none.
        steps: which lead to it.
    """

    holds: bool
    states: int
    problem: str = ""
    steps: Sequence[Step] = ()


def check(
    defines: Sequence[str], *, cycles: bool = False, shortest: bool = False, trace: str = ""
) -> Verdict:
    """Look at all states of the model. Raises RuntimeError: Spin or the compiler failed.

    Args:
        defines: names, or NAME=VALUE.
        cycles: look for a run without an end, not for a violation.
        shortest: find the shortest way to a violation; takes more time and memory.
        trace: the text of trace.pml.
    """
    with tempfile.TemporaryDirectory(prefix="agtool-model-") as name:
        folder = Path(name)
        (folder / "lock.pml").write_text(MODEL.read_text(encoding="utf-8"), encoding="utf-8")
        (folder / "trace.pml").write_text(trace, encoding="utf-8")
        given = [f"-D{define}" for define in defines]
        _run(folder, "spin", *given, "-a", "lock.pml")
        kind = ["-DNP"] if cycles else ["-DSAFETY"]
        kind += ["-DBFS"] if shortest else ["-DCOLLAPSE"]
        # Its generated C is not ours to warn about.
        # A trace leaves few states, so that compiling takes longer than looking.
        level = "-O0" if trace else "-O2"
        _run(folder, "gcc", level, "-w", *kind, "-DVECTORSZ=4096", "-o", "pan", "pan.c")
        # A model that follows a trace stands still where it does not go on.
        options = ["-l"] if cycles else ["-E"] if trace else []
        told = _run(folder, "./pan", *options, f"-m{_DEPTH}")
        # Else it has not looked at all of them.
        if "max search depth too small" in told or "out of memory" in told:
            raise RuntimeError(told)
        states = int(_found(r"(\d+) states, stored", told))
        if int(_found(r"errors: (\d+)", told)) == 0:
            return Verdict(True, states)
        replay = _run(folder, "spin", *given, "-t", "lock.pml")
        steps = [Step(int(who), what) for who, what in re.findall(r"@(\d+)\s+(\S.*\S)\s", replay)]
        problem = re.search(r"text of failed assertion: (.*)", replay)
        return Verdict(False, states, problem[1] if problem else "no end", steps)


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(text)
    return match[1]


def _run(folder: Path, *argv: str) -> str:
    done = subprocess.run(
        argv, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    # pan ends with 1 at a violation, and spin when it has replayed one.
    if done.returncode not in (0, 1) or (argv[0] == "gcc" and done.returncode):
        raise RuntimeError(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout
