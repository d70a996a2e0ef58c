"""What was checked, for CI (JUnit's XML) and for monitoring (Prometheus' text format)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from agtool.core.command import Format
from agtool.core.finding import Finding
from agtool.core.text import printable
from agtool.le_staging import documents


class Case(NamedTuple):
    """One thing that was checked.

    Attributes:
        name: the host or the file.
        not_after: when its certificate expires; None: there is none.
    """

    name: str
    verdict: str
    as_expected: bool
    problems: Sequence[Finding]
    warnings: Sequence[Finding]
    not_after: datetime | None
    seconds: float


def case_of_host(host: documents.Host) -> Case:
    """A host as a case."""
    return Case(
        host.target,
        host.verdict,
        host.as_expected,
        host.problems,
        host.warnings,
        host.chain[0].not_after if host.chain else None,
        host.seconds,
    )


def case_of_file(found: documents.StoredChain) -> Case:
    """A stored chain as a case."""
    return Case(
        found.source,
        found.verdict,
        found.as_expected,
        found.problems,
        found.warnings,
        found.chain[0].not_after if found.chain else None,
        0,
    )


def formatted(output: Format, cases: Iterable[Case], *, fail: bool) -> list[str]:
    """The text of the cases in that format; none for one that is not of these two.

    fail: whether a warning counts as a failure.
    """
    if output is Format.junit:
        return list(_junit(list(cases), fail=fail))
    return list(_prometheus(list(cases))) if output is Format.prometheus else []


def _junit(cases: Sequence[Case], *, fail: bool) -> Iterator[str]:
    """As Jenkins, GitLab and GitHub's actions read it: a test case for each host."""

    def failed(case: Case) -> bool:
        return not case.as_expected or (fail and bool(case.warnings))

    counts = f'tests="{len(cases)}" failures="{sum(map(failed, cases))}"'
    seconds = f'time="{sum(case.seconds for case in cases):.3f}"'
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield f'<testsuites {counts} {seconds}><testsuite name="agtool le-staging" {counts} {seconds}>'
    for case in cases:
        yield (
            f'<testcase classname="agtool.le-staging" name={_quoted(case.name)} '
            f'time="{case.seconds:.3f}">'
        )
        said = [*case.problems, *case.warnings]
        if failed(case):
            codes = " ".join(finding.code for finding in said)
            yield f"<failure type={_quoted(codes)} message={_quoted(_sentences(said))}>"
            yield from map(_escaped, _told(said))
            yield "</failure>"
        text = [f"{case.verdict}", *([] if failed(case) else _told(said))]
        yield f"<system-out>{_escaped(chr(10).join(text))}</system-out></testcase>"
    yield "</testsuite></testsuites>"


def _told(findings: Sequence[Finding]) -> list[str]:
    return [
        f"{finding.code}: {finding.message}" + (f"\n  {finding.hint}" if finding.hint else "")
        for finding in findings
    ]


def _sentences(findings: Sequence[Finding]) -> str:
    return "; ".join(finding.message for finding in findings)


def _escaped(text: str) -> str:
    # XML 1.0 has no way to write control characters.
    shown = printable(text, besides="\n")
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _quoted(text: str) -> str:
    escaped = _escaped(text).replace('"', "&quot;").replace("\n", " ")
    return f'"{escaped}"'


_METRICS = {
    "as_expected": "Whether the verdict is the expected one.",
    "verdict": "1 for the verdict on the host.",
    "problem": "1 for each problem that was found.",
    "warning": "1 for each warning.",
    "not_after_timestamp_seconds": "When the certificate expires.",
}


def _prometheus(cases: Sequence[Case]) -> Iterator[str]:
    """For node_exporter's textfile collector or a push gateway, which refuse a series twice."""
    samples: dict[str, list[str]] = {name: [] for name in _METRICS}

    def sample(metric: str, value: float, **labels: str) -> None:
        shown = ",".join(f'{name}="{_label(text)}"' for name, text in labels.items())
        samples[metric].append(f"agtool_le_staging_{metric}{{{shown}}} {value:.0f}")

    for case in _one_for_each_name(cases):
        sample("as_expected", case.as_expected, host=case.name)
        sample("verdict", 1, host=case.name, verdict=case.verdict)
        for code in dict.fromkeys(finding.code for finding in case.problems):
            sample("problem", 1, host=case.name, code=code)
        for code in dict.fromkeys(finding.code for finding in case.warnings):
            sample("warning", 1, host=case.name, code=code)
        if case.not_after:
            sample("not_after_timestamp_seconds", case.not_after.timestamp(), host=case.name)
    for name, meaning in _METRICS.items():
        yield f"# HELP agtool_le_staging_{name} {meaning}"
        yield f"# TYPE agtool_le_staging_{name} gauge"
        yield from samples[name]


def _one_for_each_name(cases: Sequence[Case]) -> Iterator[Case]:
    """What several objects or files say of one name is one case: the worst of all."""
    named: dict[str, list[Case]] = {}
    for case in cases:
        named.setdefault(_label(case.name), []).append(case)
    for same in named.values():
        ends = [case.not_after for case in same if case.not_after]
        yield next((case for case in same if not case.as_expected), same[0])._replace(
            problems=[finding for case in same for finding in case.problems],
            warnings=[finding for case in same for finding in case.warnings],
            not_after=min(ends, default=None),
        )


def _label(text: str) -> str:
    return printable(text).replace("\\", r"\\").replace('"', r"\"")
