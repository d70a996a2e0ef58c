"""What `check` found: for people, and for programs that show it beside a change. Pure.

Sources: JUnit's XML as GitLab and Jenkins read it; GitHub's workflow commands; GitLab's Code
Quality report.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from agtool.ci_nodepool import documents
from agtool.ci_nodepool.check.judge import ADVICE
from agtool.ci_nodepool.runner import manager, survival
from agtool.ci_nodepool.show.status import advice_lines
from agtool.core.finding import Finding
from agtool.core.text import count, printable

_NOTICES = (*ADVICE, *survival.SURVIVAL, *manager.CODES)
"""Findings that say what could be better."""

_WORDS = {"fits": "fits", "misfit": "does not fit", "unknown": "cannot be judged"}


def text(checked: documents.Checked) -> Iterator[str]:
    """A paragraph for each runner, the worst first."""
    order = ("misfit", "unknown", "fits")
    for runner in sorted(checked.runners, key=lambda each: order.index(each.verdict)):
        yield f"{_WORDS[runner.verdict]}: {_name(runner)} ({runner.file}:{runner.line})"
        yield f"  jobs run on {_where(runner)}"
        for taint in runner.taints:
            yield f"  taint {taint.taint}: {'' if taint.tolerated else 'not '}tolerated"
        for finding in runner.findings:
            mark = "-" if finding.code in ADVICE else "!"
            yield f"  {mark} {finding.message}"
            yield from (f"      {line}" for line in finding.hint.splitlines())
        if runner.change:
            yield f"  add at {runner.file}:{runner.change.line}"
            yield from (f"      {line.strip()}" for line in runner.change.text.splitlines())
    if not checked.runners:
        yield "No runner was found."
        return
    found = [each.verdict for each in checked.runners]
    yield ", ".join(
        f"{count(found.count(word), 'runner')}: {_WORDS[word]}" for word in order if word in found
    )
    yield from advice_lines([each for runner in checked.runners for each in runner.advice])


def junit(checked: documents.Checked) -> Iterator[str]:
    """A test case for each runner."""
    runners = checked.runners
    failures = sum(each.verdict == "misfit" for each in runners)
    errors = sum(each.verdict == "unknown" for each in runners)
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield (
        f'<testsuite name="agtool ci-nodepool check" tests="{len(runners)}" '
        f'failures="{failures}" errors="{errors}">'
    )
    for runner in runners:
        name, file = quoteattr(_clean(_name(runner))), quoteattr(_clean(runner.file))
        head = f'  <testcase classname={file} name={name} file={file} line="{runner.line}"'
        if runner.verdict == "fits" and not runner.findings:
            yield f"{head}/>"
            continue
        yield f"{head}>"
        body = escape(_clean(_message(runner)))
        if runner.verdict == "fits":
            yield f"    <system-out>{body}</system-out>"
        else:
            kind = "failure" if runner.verdict == "misfit" else "error"
            yield f"    <{kind} message={quoteattr(_clean(_first(runner)))}>{body}</{kind}>"
        yield "  </testcase>"
    yield "</testsuite>"


def github(checked: documents.Checked) -> Iterator[str]:
    """A workflow command for each finding."""
    for runner in checked.runners:
        for finding in (*runner.findings, *runner.advice):
            line = runner.change.line if runner.change else runner.line
            place = f"file={_property(runner.file)},line={line},title={_property(finding.code)}"
            yield f"::{_level(finding)} {place}::{_data(_with_change(runner, finding))}"


def gitlab(checked: documents.Checked) -> Iterator[str]:
    """A Code Quality report."""
    issues = []
    for runner in checked.runners:
        for finding in runner.findings:
            line = runner.change.line if runner.change else runner.line
            own = (runner.file, runner.runner, runner.section, finding.code, finding.message)
            key = json.dumps(own)
            level = {"error": "major", "warning": "minor", "notice": "info"}[_level(finding)]
            issues.append(
                {
                    "description": _with_change(runner, finding),
                    "check_name": f"agtool ci-nodepool {finding.code}",
                    "fingerprint": hashlib.sha256(key.encode()).hexdigest(),
                    "severity": level,
                    "location": {"path": runner.file, "lines": {"begin": line}},
                }
            )
    yield json.dumps(issues, indent=2)


def _name(runner: documents.CheckedRunner) -> str:
    return runner.runner + (f" ({runner.section})" if runner.section else "")


def _where(runner: documents.CheckedRunner) -> str:
    return f"{runner.where}, rather with {runner.prefers}" if runner.prefers else runner.where


def _level(finding: Finding) -> str:
    if finding.code in _NOTICES:
        return "notice"
    return "warning" if finding.code == "doubt" else "error"


def _with_change(runner: documents.CheckedRunner, finding: Finding) -> str:
    parts = [finding.message, finding.hint]
    if runner.change and finding.code not in _NOTICES:
        lines = [line.strip() for line in runner.change.text.splitlines()]
        parts.append(f"Add at line {runner.change.line}:\n" + "\n".join(lines))
    return "\n".join(filter(None, parts))


def _message(runner: documents.CheckedRunner) -> str:
    return "\n".join(_with_change(runner, each) for each in runner.findings)


def _first(runner: documents.CheckedRunner) -> str:
    worst = [each for each in runner.findings if each.code not in ADVICE]
    return worst[0].message if worst else ""


def _clean(value: str) -> str:
    """Without the control characters that no XML may have."""
    return printable(value, besides="\n")


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")
