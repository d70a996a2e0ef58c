"""A staging certificate is worth what its production twin would be, in every arrangement.

The real curl judges the twin, with the production roots that the public store has.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from agtool.le_staging.roots import pins, store
from agtool.le_staging.verify import target
from agtool.le_staging.verify.checker import Checker, Report
from agtool.le_staging.verify.judge import Verdict
from agtool.le_staging.verify.look import How
from tests.integration.le_staging.generation_y import (
    ECDSA_PARTS,
    RSA_PARTS,
    World,
    Worlds,
    fetched,
    settle,
)
from tests.servers import tls
from tests.servers.certificates import Issued, root

NAME = "shop.test"


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    """Give both worlds."""
    with pytest.MonkeyPatch.context() as patch:
        yield settle(tmp_path_factory.mktemp("worlds"), patch)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder for what servers need, and an empty data folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path


def serve(stack: ExitStack, folder: Path, leaf: Issued, made: World, above: tuple[str, ...]) -> int:
    """Serve a leaf and what stands above it; return the port."""
    context = tls.tls_context(folder / leaf.sha256, leaf, made.sent(leaf, above))
    return stack.enter_context(tls.Listener(tls.https(context))).port


def ours(port: int, roots: list[store.Root], expected: Verdict = Verdict.staging) -> Report:
    """What agtool says of it."""
    override = target.Override("", 0, "127.0.0.1", port)
    how = How(tuple(roots), expected, overrides=(override,), timeout=60)
    return Checker(how).check(target.parse(NAME, port))


def curl(port: int, bundle: Path, empty: Path) -> bool:
    """Whether the real curl accepts it, with the roots in the bundle and no others."""
    program = shutil.which("curl")
    assert program, "curl is not installed; tests/install-system-packages.sh helps"
    empty.mkdir(exist_ok=True)
    argv = [program, "--disable", "--silent", "--max-time", "60", "--noproxy", "*"]
    argv += ["--cacert", str(bundle), "--capath", str(empty)]
    argv += ["--connect-to", f"::127.0.0.1:{port}", f"https://{NAME}:{port}/"]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def judged(worlds: Worlds, folder: Path, above: tuple[str, ...], leaf: str) -> Report:
    """Check a staging server and its twin; the verdicts are curl's on the twin."""
    with ExitStack() as stack:
        ports = [
            serve(stack, folder, made.parts[leaf].leaf(NAME), made, above)
            for made in (worlds.staging, worlds.production)
        ]
        report = ours(ports[0], fetched(worlds.staging))
        twin = ours(ports[1], fetched(worlds.staging), Verdict.production)
        accepted = curl(ports[1], worlds.public, folder / "empty")
        # What curl is given trusts by the same rule.
        bundle = store.bundle_of(fetched(worlds.staging))
        assert curl(ports[0], bundle, folder / "empty") == accepted
    assert (report.verdict is Verdict.staging) == accepted, (above, report.problems)
    assert (twin.verdict is Verdict.production) == accepted, (above, twin.problems)
    assert report.as_expected == accepted
    assert bool(report.problems) != accepted
    return report


def codes(report: Report) -> list[str]:
    """What is wrong."""
    return [problem.code for problem in report.problems]


@pytest.mark.parametrize(
    ("above", "problems", "of_twin"),
    [
        (("YR1", "YR by X1"), [], []),
        (("YR1", "YR by X1", "ISRG Root X1"), [], []),
        (("YR1",), ["not-publicly-trusted-twin"], ["missing-cross-sign"]),
        (("YR1", "Root YR"), ["not-publicly-trusted-twin"], ["missing-cross-sign"]),
        (("YR1", "YR by X1, expired", "YR by X1"), [], []),
        (("YR1", "YR by X1", "YR by X1, expired"), [], []),
        (("YR1", "YR by X1, expired"), ["expired"], ["expired"]),
        (("YE1", "YE by X2", "X2 by X1"), [], []),
        (("YE1", "YE by X2"), [], []),
        (("YE1",), ["not-publicly-trusted-twin"], ["missing-cross-sign"]),
        (("YE1", "Root YE"), ["not-publicly-trusted-twin"], ["missing-cross-sign"]),
        (("YE1", "YE by X2", "X2 by X1, expired"), [], []),
        (("YE1", "YE by X2, expired", "X2 by X1"), ["expired"], ["expired"]),
    ],
)
def test_chains_of_2026(
    worlds: Worlds, folder: Path, above: tuple[str, ...], problems: list[str], of_twin: list[str]
) -> None:
    report = judged(worlds, folder, above, above[0])
    assert codes(report) == problems
    with ExitStack() as stack:
        made = worlds.production
        port = serve(stack, folder, made.parts[above[0]].leaf(NAME), made, above)
        twin = ours(port, fetched(worlds.staging), Verdict.production)
        assert codes(twin) == of_twin
        # Without the roots of staging it is the same.
        assert codes(ours(port, [], Verdict.production)) == of_twin
    for problem in (*report.problems, *twin.problems):
        if "cross-sign" in problem.code or "twin" in problem.code:
            assert "fullchain.pem" in problem.hint
            assert "--preferred-chain" in problem.hint
            assert "fetch --url" not in problem.hint


@st.composite
def arrangements(draw: st.DrawFn) -> tuple[str, tuple[str, ...]]:
    """The intermediate, and anything of what can stand above a leaf, in any order."""
    leaf, *others = draw(st.sampled_from([RSA_PARTS, ECDSA_PARTS]))
    above = draw(st.lists(st.sampled_from(others), unique=True))
    # Mostly with the intermediate, without which nothing works.
    place = draw(st.sampled_from([0, 0, 0, len(above), None]))
    if place is not None:
        above.insert(place, leaf)
    return leaf, tuple(above)


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(arrangement=arrangements())
def test_every_arrangement(
    worlds: Worlds, folder: Path, arrangement: tuple[str, tuple[str, ...]]
) -> None:
    leaf, above = arrangement
    report = judged(worlds, folder, above, leaf)
    event(f"{report.verdict.value} {' '.join(codes(report))}")


def test_when_the_public_store_gets_the_new_roots(worlds: Worlds, folder: Path) -> None:
    """The rule is asked of certifi each time."""
    roots = fetched(worlds.staging)
    store.write(roots)
    assert {root.name for root in store.roots()} == {root.name for root in roots}
    assert store.bundle().read_text().count("BEGIN") == 2
    worlds.publish(*worlds.production.roots)
    try:
        with ExitStack() as stack:
            made = worlds.staging
            port = serve(stack, folder, made.parts["YR1"].leaf(NAME), made, ("YR1",))
            assert ours(port, roots).verdict is Verdict.staging
        assert store.bundle_of(store.roots()).read_text().count("BEGIN") == 4
    finally:
        worlds.publish("ISRG Root X1", "ISRG Root X2")
    assert store.bundle_of(store.roots()).read_text().count("BEGIN") == 2
    everything = store.bundle_of(store.roots(), untrusted_twins=True)
    assert everything.read_text().count("BEGIN") == 4
    assert store.bundle().read_text().count("BEGIN") == 2


def test_a_revoked_cross_sign(
    worlds: Worlds, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one of September 2025 beside that of May 2026, and alone."""
    made = worlds.production
    cross = made.parts["YR by X1"]
    old = made.roots["ISRG Root X1"].intermediate(
        "Root YR", key=made.roots["Root YR"].key, days=(-2, 900)
    )
    monkeypatch.setitem(pins.REVOKED, old.sha256, "root-yr-by-x1.pem")
    leaf = made.parts["YR1"].leaf(NAME)
    for above, problems, warned in (
        ((old,), ["revoked-cross-sign"], []),
        ((old, cross), [], ["revoked-cross-sign"]),
        ((cross, old), [], ["revoked-cross-sign"]),
    ):
        sent = [leaf.certificate, made.parts["YR1"].certificate, *(c.certificate for c in above)]
        context = tls.tls_context(folder / "server", leaf, sent)
        with tls.Listener(tls.https(context)) as server:
            report = ours(server.port, [], Verdict.production)
        assert codes(report) == problems
        assert [warning.code for warning in report.warnings] == warned
        for finding in (*report.problems, *report.warnings):
            assert "gen-y/root-yr-by-x1.pem" in finding.hint


def test_a_look_alike_is_told_as_such(worlds: Worlds, folder: Path) -> None:
    for name in ("(STAGING) Pretend Pear X1", "ISRG Root X1"):
        forged = root(name)
        middle = forged.intermediate("Some CA")
        leaf = middle.leaf(NAME)
        for above in ([middle.certificate, forged.certificate], [middle.certificate]):
            context = tls.tls_context(folder / leaf.sha256, leaf, [leaf.certificate, *above])
            with tls.Listener(tls.https(context)) as server:
                report = ours(server.port, fetched(worlds.staging))
            assert codes(report)[0] in {"unknown-root", "bad-signature"}
            assert "another key" in report.problems[0].message, report.problems
            assert "fetch" not in report.problems[0].hint
