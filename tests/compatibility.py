"""Runs tests on the versions that agtool supports and that `make test` does not use.

python -m tests.compatibility [PART...]     (no PART: all)

A part that fails does not end the run. What cannot be had here, for want of a network, a package or
a right, is said at the end and is no failure, whatever CI is: Debian unstable moves on by itself.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

from tests.cluster import build, recipe
from tests.programs import carry_out, to_its_end, voice
from tests.servers import versions
from tests.servers.process import ServerFailed, ServerUnavailable

_say = voice("compatibility")

ROOT = Path(__file__).parents[1]

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
KUBERNETES = "1.34"

BESIDE = ("--numprocesses=3", "--dist=loadfile")
ENGINES = "tests/e2e/migrate_once/test_other_engines.py"
POSTGRESQL_TESTS = (
    *("tests/integration/test_servers.py", "-k=PostgreSQL or PgBouncer or migrate_once"),
    *("tests/e2e/migrate_once", f"--ignore={ENGINES}", "-m=not kubernetes"),
)
MYSQL_TESTS = (
    *("tests/integration/test_servers.py", "-k=MariaDB or migrate_once"),
    *("tests/integration/migrate_once/test_mysql.py", ENGINES, "-m=not kubernetes"),
)
KUBERNETES_TESTS = ("-m=kubernetes", "tests/integration", "tests/e2e")


class Outcome(NamedTuple):
    """What became of one version. result: passed, failed, or not to be had."""

    version: str
    result: str
    detail: str
    seconds: float


Part = Callable[[], Iterator[tuple[str, Callable[[], str]]]]
"""Gives versions, each with what tests it: that returns what was tested.

It raises ServerUnavailable for what cannot be had, ServerFailed for what failed.
"""


def pythons() -> Iterator[tuple[str, Callable[[], str]]]:
    """All unit tests on each Python."""
    for version in PYTHONS:
        yield f"Python {version}", lambda version=version: _unit_tests(version)  # type: ignore[misc]


def postgresql() -> Iterator[tuple[str, Callable[[], str]]]:
    """The lock's tests on other versions of PostgreSQL."""
    for version in versions.POSTGRESQLS:
        yield (
            f"PostgreSQL {versions.POSTGRESQLS[version].version}",
            lambda version=version: _on(versions.POSTGRESQL, version, POSTGRESQL_TESTS),  # type: ignore[misc]
        )


def mysql() -> Iterator[tuple[str, Callable[[], str]]]:
    """The lock's tests, with MySQL in the place of MariaDB."""
    for version in versions.MYSQLS:
        yield (
            f"MySQL {version}",
            lambda version=version: _on(versions.MYSQL, version, MYSQL_TESTS),  # type: ignore[misc]
        )


def kubernetes() -> Iterator[tuple[str, Callable[[], str]]]:
    """All tests with a cluster, on the oldest Kubernetes that is supported."""

    def run() -> str:
        os.environ[recipe.VARIABLE] = KUBERNETES
        build.build()
        return _pytest(KUBERNETES_TESTS)

    yield f"Kubernetes {recipe.KUBERNETES[KUBERNETES]}", run


PARTS: Mapping[str, Part] = {
    "python": pythons,
    "postgresql": postgresql,
    "mysql": mysql,
    "kubernetes": kubernetes,
}


def main() -> int:
    """Return the exit code: 1 if something failed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.compatibility",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; or one of it: python-3.10"
    )
    chosen = []
    for part in parser.parse_args().parts or PARTS:
        name, _, only = part.partition("-")
        there = list(PARTS[name]()) if name in PARTS else []
        found = [each for each in there if each[0].split()[1].startswith(only)]
        if not found:
            parser.error(f"no such part: {part}; there are {', '.join(PARTS)}")
        chosen += found
    outcomes = []
    for version, test in chosen:
        _say(version)
        outcomes.append(_outcome(version, test))
        _say(_line(outcomes[-1]))
    sys.stdout.write("\n" + "".join(f"{_line(outcome)}\n" for outcome in outcomes))
    return int(any(outcome.result == "failed" for outcome in outcomes))


def _outcome(version: str, test: Callable[[], str]) -> Outcome:
    began = time.monotonic()
    try:
        result, detail = "passed", test()
    except ServerUnavailable as error:
        result, detail = "not to be had", str(error)
    except ServerFailed as error:
        result, detail = "failed", str(error)
    return Outcome(version, result, detail, time.monotonic() - began)


def _line(outcome: Outcome) -> str:
    clock = f"{outcome.seconds // 60:.0f}:{outcome.seconds % 60:02.0f}"
    return f"{outcome.version:<20} {outcome.result:<14} {clock:>6}  {outcome.detail}"


def _on(variable: str, version: str, tests: Sequence[str]) -> str:
    os.environ[variable] = version
    try:
        versions.fetch(_say)
        return _pytest((*BESIDE, *tests))
    finally:
        del os.environ[variable]


def _unit_tests(version: str) -> str:
    program = _python(version) or versions.fetch_python(version, _say)
    with tempfile.TemporaryDirectory(prefix="agtool-compatibility-") as folder:
        _say(f"Python {version}: installing requirements/dev.txt (half a minute) ...")
        python = Path(folder) / "venv" / "bin" / "python"
        _run([program, "-m", "venv", "--without-pip", python.parents[1]])
        # Not pip, which takes three times as long, and which Debian's Pythons do not carry.
        uv = str(Path(sys.executable).with_name("uv"))
        install = [uv, "pip", "install", "--no-config", "--quiet", f"--python={python}"]
        _run([*install, "--require-hashes", "--requirement", "requirements/dev.txt"])
        editable = ("--config-settings=editable_mode=compat", "--editable", ".")
        _run([*install, "--no-deps", "--no-build-isolation", *editable])
        full = _run([python, "-c", "import platform; print(platform.python_version())"]).strip()
        return f"{full}: {_pytest(('tests/unit',), python)}"


def _python(version: str) -> Path | None:
    """A Python that pyenv or PATH has, and that is whole."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))
    if on_path := shutil.which(f"python{version}"):
        found.append(Path(on_path))
    for program in found:
        # What pyenv puts on PATH may be there for a version that is not chosen.
        asked: list[str | Path] = [program, "-c", "import venv, ssl, sqlite3"]
        if subprocess.run(asked, capture_output=True, check=False).returncode == 0:
            return program
    return None


def _pytest(arguments: Sequence[str], python: Path | None = None) -> str:
    """Run tests; return how many there were. Raises ServerFailed."""
    with tempfile.TemporaryDirectory(prefix="agtool-compatibility-") as folder:
        report = Path(folder) / "report.xml"
        code = to_its_end(
            [
                *(python or sys.executable, "-m", "pytest", f"--junit-xml={report}"),
                *("-p", "no:cacheprovider", *arguments),
            ],
            ROOT,
        )
        said = counts(report)
    if code:
        raise ServerFailed(f"{said}; pytest ended with {code}")
    return said


def counts(report: Path) -> str:
    """How many tests a report of pytest has, in words."""
    if not report.exists():
        return "pytest wrote no report"
    suites = ET.parse(report).getroot().iter("testsuite")  # noqa: S314 - pytest's own
    numbers = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for suite in suites:
        for name in numbers:
            numbers[name] += int(suite.get(name, "0"))
    failed = numbers["failures"] + numbers["errors"]
    passed = numbers["tests"] - failed - numbers["skipped"]
    return f"{passed} passed, {failed} failed, {numbers['skipped']} skipped"


def _run(argv: Sequence[str | Path]) -> str:
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-5:]
        raise ServerFailed(f"{argv[0]} ended with {done.returncode}: {' '.join(said)}")
    return done.stdout


if __name__ == "__main__":
    carry_out(main, _say)
