"""What a verdict promises, whatever OpenSSL says of whatever chain."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtool.le_staging.certificate import Certificate
from agtool.le_staging.roots.pins import PINS
from agtool.le_staging.verify.evidence import Evidence, Flaw, Voucher
from agtool.le_staging.verify.judge import Judgement, Verdict, judge, surprise, warnings
from agtool.le_staging.verify.target import Target

NOW = datetime(2026, 11, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)
HOST = Target("shop.test", 443, "shop.test")


def certificate(
    subject: str,
    issuer: str,
    *,
    sha256: str = "",
    names: tuple[str, ...] = (),
    common: tuple[str, ...] = (),
    days: tuple[float, float] = (-1, 60),
    url: str = "",
) -> Certificate:
    """A certificate with these facts."""
    return Certificate(
        subject=subject,
        issuer=issuer,
        common_names=common,
        dns_names=names,
        addresses=(),
        not_before=NOW + DAY * days[0],
        not_after=NOW + DAY * days[1],
        key="ECDSA P-256",
        signature="ecdsa-with-SHA256",
        issuer_urls=(url,) if url else (),
        sha256=sha256 or f"{subject} by {issuer}",
        self_issued=subject == issuer,
        der=b"",
    )


LEAF = certificate("shop.test", "R11", names=("shop.test",))
R11 = certificate("R11", "Root")
ROOT = certificate("Root", "Root")
PUBLIC = certificate("Public Root", "Public Root")

certificates = st.builds(
    certificate,
    st.sampled_from(["shop.test", "R11", "Root", "Public Root", "Fake LE Root X1"]),
    st.sampled_from(["R11", "Root", "Public Root", "(STAGING) Pretend Pear X1"]),
    sha256=st.sampled_from(["a", "b", "c", *(pin.sha256 for pin in PINS)]),
    names=st.sampled_from([(), ("shop.test",), ("*.test.example",), ("other.test",)]),
    common=st.sampled_from([(), ("shop.test",)]),
    days=st.tuples(st.floats(-90, 30), st.floats(-30, 90)),
    url=st.sampled_from(["", "http://stg-r11.i.lencr.org/"]),
)
chains = st.lists(certificates, min_size=1, max_size=4).map(tuple)
flaws = st.lists(st.builds(Flaw, st.integers(0, 100), st.integers(0, 3)), max_size=3).map(tuple)
fingerprints = st.sets(st.sampled_from(["a", "b", "c"]))


@st.composite
def evidence(draw: st.DrawFn) -> Evidence:
    """Anything that could be seen; a date is a flaw of a certificate that is there."""
    chain = draw(chains)
    found = tuple(flaw for flaw in draw(flaws) if flaw.depth < len(chain))
    voucher = draw(st.one_of(st.none(), st.builds(Voucher, chains, st.booleans())))
    return Evidence(draw(chains), chain, found, voucher)


@given(evidence(), fingerprints)
def test_what_a_verdict_promises(seen: Evidence, anchors: set[str]) -> None:
    found = judge(HOST, seen, anchors, NOW)
    assert found.verdict in {found.issued_by, Verdict.failed}
    # Failed, or fine: never both, and never without a reason.
    codes = {flaw.code for flaw in seen.flaws}
    if found.verdict is not Verdict.failed:
        assert not found.problems
        assert found.matched
        assert found.anchor is found.path[-1]
        assert all(c.not_before <= NOW <= c.not_after for c in found.path)
    if found.issued_by is Verdict.staging:
        assert found.anchor
        assert found.anchor.sha256 in anchors
        assert found.anchor in seen.chain
        assert not codes - {9, 10}
    if found.verdict in {Verdict.production, Verdict.other}:
        assert seen.voucher
        assert found.path == seen.voucher.path
        assert found.path[-1].sha256 not in {pin.sha256 for pin in PINS}
        assert not anchors & {c.sha256 for c in seen.chain}
    for expected in (Verdict.staging, Verdict.production):
        fine = found.verdict is expected
        if found.verdict is not Verdict.failed:
            assert fine == (surprise(found, expected) is None)


def failed(
    *flaws: tuple[int, int], chain: tuple[Certificate, ...] = (LEAF, R11, ROOT)
) -> Judgement:
    """The judgement of a chain with these flaws, of which no root is known."""
    return judge(HOST, Evidence(chain, chain, tuple(Flaw(*f) for f in flaws)), {"none"}, NOW)


@pytest.mark.parametrize("code", [22, 24, 25, 26, 28, 32, 34, 47, 48, 66, 67, 68, 79, 7, 99, 1])
def test_every_flaw_becomes_a_problem(code: int) -> None:
    found = judge(HOST, Evidence((LEAF,), (LEAF, R11), (Flaw(code, 1),)), {R11.sha256}, NOW)
    (problem,) = found.problems
    assert found.verdict is Verdict.failed
    assert "R11" in problem.message or code == 22
    assert (problem.code == "refused-by-openssl") == (code in {1, 99})
    assert "{" not in problem.message


def test_all_problems_and_not_only_the_first() -> None:
    leaf = certificate("x", "R11", names=("other.test",), days=(-9, -1))
    found = failed((20, 1), (26, 0), (66, 0), (10, 0), (21, 0), chain=(leaf, R11))
    kinds = [problem.code for problem in found.problems]
    assert kinds == ["unknown-root", "purpose", "weak", "expired", "wrong-name"]


@pytest.mark.parametrize("name", ["Fake LE Root X1", "(STAGING) Doctored Durian Root CA X3"])
@pytest.mark.parametrize("sent", [True, False])
def test_retired_roots_are_called_by_their_name(name: str, sent: bool) -> None:
    chain = (LEAF, certificate("R11", name), *([certificate(name, name)] if sent else []))
    (problem,) = failed((19, 2) if sent else (20, 1), chain=chain).problems
    assert problem.code == "retired-root"
    assert name in problem.message


def test_a_retired_root_is_known_by_its_intermediate_too() -> None:
    alone = certificate("shop.test", "Fake LE Intermediate X1", names=("shop.test",))
    (problem,) = failed((20, 0), chain=(alone,)).problems
    assert problem.code == "retired-root"
    assert "Fake LE Root X1" in problem.message


def test_a_root_of_this_machine_s_store_must_be_in_its_dates() -> None:
    old = certificate("Old", "Old", days=(-900, -1))
    seen = Evidence((LEAF,), (LEAF,), (Flaw(20, 0),), Voucher((LEAF, old), public=True))
    found = judge(HOST, seen, set(), NOW)
    assert (found.verdict, found.issued_by) == (Verdict.failed, Verdict.production)
    assert [problem.code for problem in found.problems] == ["expired"]


@pytest.mark.parametrize(
    ("days", "span"),
    [(-1 / 86400, "1 s"), (-1 / 24, "60 min"), (-1.5, "36 h"), (-2.5, "2 days")],
)
def test_how_long_ago_is_told_in_a_unit_that_has_some(days: float, span: str) -> None:
    leaf = certificate("shop.test", "R11", names=("shop.test",), days=(-30, days))
    seen = Evidence((leaf,), (leaf, R11), (Flaw(10, 0),))
    (problem,) = judge(HOST, seen, {R11.sha256}, NOW).problems
    assert problem.message.endswith(f" UTC, {span} ago")


def test_dates_are_told_in_minutes_when_they_are_close() -> None:
    leaf = certificate("shop.test", "R11", names=("shop.test",), days=(0.0625, 60))
    (problem,) = judge(
        HOST, Evidence((leaf,), (leaf, R11), (Flaw(9, 0),)), {R11.sha256}, NOW
    ).problems
    assert problem.message == "shop.test is valid from 2026-11-01 01:30 UTC, in 90 min"


def test_warnings() -> None:
    found = judge(HOST, Evidence((LEAF,), (LEAF, R11), ()), {R11.sha256}, NOW)
    assert [len(warnings(found, LEAF, NOW, days)) for days in (0, 59, 60)] == [0, 0, 1]
    only = certificate("shop.test", "R11", common=("shop.test",))
    found = judge(HOST, Evidence((only,), (only, R11), ()), {R11.sha256}, NOW)
    assert found.verdict is Verdict.staging
    assert [warning.code for warning in warnings(found, only, NOW, 0)] == ["common-name"]
