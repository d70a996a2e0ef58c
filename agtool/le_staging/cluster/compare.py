"""What a host serves beside what its Secret has, and what is different."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from agtool.core.finding import Finding
from agtool.le_staging.certificate import Certificate
from agtool.le_staging.cluster.objects import Name, Served
from agtool.le_staging.stored.check import check
from agtool.le_staging.stored.read import of_secret
from agtool.le_staging.verify.checker import Report, merged
from agtool.le_staging.verify.judge import Verdict
from agtool.le_staging.verify.kept import Checked
from agtool.le_staging.verify.look import Looker
from agtool.le_staging.verify.target import Target


def stored_of(
    one: Served, target: Target, secrets: Mapping[Name, dict[str, Any] | None], looker: Looker
) -> Checked | Finding | None:
    """What its Secret has; a finding if there is no such Secret; None: nobody knows."""
    if one.secret is None:
        return None
    name = "/".join(one.secret)
    if one.secret not in secrets:
        return Finding(
            "no-secret",
            f"{one.source} names the secret {name}, which does not exist",
            "Check the name, and whether cert-manager has a Certificate for it: kubectl -n "
            f"{one.secret[0]} get certificate",
        )
    secret = secrets[one.secret]
    if secret is None:
        return None
    return check(of_secret(secret, f"secret {name}"), [target], looker)


def offline(target: Target, stored: Checked | Finding | None, expected: Verdict) -> Report:
    """A report on what is stored alone."""
    now = datetime.now(timezone.utc)
    if isinstance(stored, Checked):
        fine = stored.verdict is expected
        return Report(
            target, stored.verdict, fine, stored.problems, stored.warnings, None, None, now, 0
        )
    problem = stored or Finding(
        "no-secret",
        f"the certificate of {target.host} is in no secret that could be read",
        "Give the Secret among the manifests, or leave out --offline.",
    )
    return Report(target, Verdict.failed, False, (problem,), (), None, None, now, 0)


def together(
    report: Report,
    one: Served,
    stored: Checked | Finding | None,
    unfinished: Finding | None,
    expected: Verdict,
) -> Report:
    """The report on a host with what its object and its Secret say."""
    problems = list(report.problems)
    if isinstance(stored, Finding):
        problems.append(stored)
    elif stored:
        problems += [_of_the_secret(problem, one) for problem in stored.problems]
        if report.evidence and stored.stored.chain:
            problems += _difference(report.evidence.presented[0], stored.stored.chain[0], one)
    if unfinished:
        problems.append(unfinished)
    own = stored if isinstance(stored, Checked) else None
    fine = report.as_expected and not unfinished and not isinstance(stored, Finding)
    fine = fine and (own is None or own.verdict is expected) and problems == []
    return report._replace(
        problems=merged([tuple(problems)]), as_expected=fine, source=one.source, stored=own
    )


def _of_the_secret(problem: Finding, one: Served) -> Finding:
    name = "/".join(one.secret or ())
    return Finding(problem.code, f"in secret {name}: {problem.message}", problem.hint)


def _difference(served: Certificate, stored: Certificate, one: Served) -> list[Finding]:
    if served.sha256 == stored.sha256:
        return []
    name = "/".join(one.secret or ())
    if served.issuer != stored.issuer:
        return [
            Finding(
                "not-from-secret",
                f"the server sends a certificate of {served.issuer}, and secret {name} has one of "
                f"{stored.issuer}",
                f"Check that the controller takes {one.source}, and that the address is its own.",
            )
        ]
    newer = "newer" if stored.not_before > served.not_before else "older"
    return [
        Finding(
            "not-reloaded",
            f"the server sends another certificate than secret {name} has, which is {newer}: it "
            f"expires on {stored.not_after:%Y-%m-%d %H:%M}, that of the server on "
            f"{served.not_after:%Y-%m-%d %H:%M} UTC",
            "Reload or restart the controller, and all of its replicas: one may be left.",
        )
    ]
