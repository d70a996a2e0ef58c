"""Whether a stored chain is good, and whether its key belongs to it, before it is served."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agtool.core.finding import Finding
from agtool.le_staging.verify.checker import merged
from agtool.le_staging.verify.judge import Verdict
from agtool.le_staging.verify.kept import Checked, Stored
from agtool.le_staging.verify.look import Looker
from agtool.le_staging.verify.target import Target


def check(stored: Stored, names: Sequence[Target], looker: Looker) -> Checked:
    """Judge a chain as if it were served.

    names: the hosts for which it must be good; none: whatever its names are.
    """
    if not stored.chain:
        problems = stored.problems or (_NO_CERTIFICATE,)
        return Checked(stored, Verdict.failed, problems, (), None, None)
    wanted: Sequence[Target | None] = names or [None]
    sights = [looker.stored(name, stored.chain) for name in wanted]
    shown = next((sight for sight in sights if sight.verdict is Verdict.failed), sights[0])
    own = [problem for problem in stored.problems if problem.code not in _HARMLESS]
    problems = (*own, *_problems_of_key(stored), *merged(s.problems for s in sights))
    # What was not expected is a problem too, and no fault.
    faults = bool(own) or shown.verdict is Verdict.failed or _fits(stored) is False
    return Checked(
        stored=stored,
        verdict=Verdict.failed if faults else shown.verdict,
        problems=problems,
        warnings=(
            *(problem for problem in stored.problems if problem.code in _HARMLESS),
            *shown.warnings,
        ),
        sight=shown,
        key=_fits(stored),
    )


_HARMLESS = {"encrypted-key"}
"""What keeps us from comparing, and is no fault."""

_NO_CERTIFICATE = Finding(
    "no-certificate",
    "it has no certificate",
    "Give the file with the chain (fullchain.pem), too.",
)


def with_keys(found: Iterable[Stored]) -> list[Stored]:
    """The chains; files that have only a key give it to the chains that have none.

    So do those whose key is encrypted: to a chain without another key that fits.
    """
    listed = list(found)
    keys = [one for one in listed if _is_key(one)]
    chains = [one for one in listed if one not in keys]
    if not keys or not chains:
        return listed
    return [one if one.key or not one.chain else _with_key(one, keys) for one in chains]


def _with_key(chain: Stored, keys: Sequence[Stored]) -> Stored:
    own = chain.chain[0].spki
    if any(one.key == own for one in keys):
        return chain._replace(key=own)
    # The one that nobody can read may be the one that fits.
    key = next((one for one in keys if not one.key), keys[0])
    return chain._replace(key=key.key, problems=(*chain.problems, *key.problems))


def _is_key(one: Stored) -> bool:
    encrypted = {problem.code for problem in one.problems} == _HARMLESS
    return not one.chain and (bool(one.key) or encrypted)


def _fits(stored: Stored) -> bool | None:
    return stored.key == stored.chain[0].spki if stored.key and stored.chain else None


def _problems_of_key(stored: Stored) -> list[Finding]:
    if _fits(stored) is not False:
        return []
    for place, certificate in enumerate(stored.chain[1:], 2):
        if certificate.spki == stored.key:
            return [
                Finding(
                    "wrong-order",
                    f"the key belongs to certificate number {place}, {certificate.subject}: "
                    "servers take the first one for their own",
                    "Put that certificate first, and after it those that issued each other.",
                )
            ]
    return [
        Finding(
            "key-mismatch",
            f"the private key does not belong to {stored.chain[0].subject}: no server starts with "
            "both",
            "Take the key and the chain of the same renewal.",
        )
    ]
