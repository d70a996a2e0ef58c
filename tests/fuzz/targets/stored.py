"""PEM, DER, PKCS 12, Secrets: something is found in each file, or said of it; a verdict follows."""

from functools import cache

from agtool.le_staging.roots.store import Root
from agtool.le_staging.stored.read import stored
from agtool.le_staging.verify.judge import Verdict
from agtool.le_staging.verify.look import How, Looker
from tests.servers.certificates import root


@cache
def looker() -> Looker:
    """One that trusts a root of its own."""
    ca = root("Fuzz Root")
    return Looker(How((Root("Fuzz Root", "", ca.sha256, ca.der, private=True),)))


def check(data: bytes) -> None:
    """The first byte says whether there is a password, the rest is the file."""
    password = "secret" if data[:1] > b"\x7f" else None
    for one in stored("file", data[1:], password):
        assert one.chain or one.key or one.problems
        assert all(problem.hint for problem in one.problems)
        if one.chain:
            sight = looker().stored(None, one.chain)
            assert sight.verdict is Verdict.staging or sight.problems
