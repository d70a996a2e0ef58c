"""Which browsers are found, how they are started, what their self test means."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtool.core.errors import ConfigurationError, DeniedError, UsageError
from agtool.le_staging.browser import firefox, installed, opening, selftest, tested
from agtool.le_staging.browser.installed import CHROMIUMS, FIREFOXES, Browser, Version
from agtool.le_staging.browser.profile import Profile
from agtool.le_staging.browser.selftest import BAD, Visits, behaviour
from agtool.le_staging.cli.browser import domains, url_of_site


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a home, and a PATH that has nothing but its folder bin."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / ".local/share"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    """Make a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def of_home(found: Iterable[Browser], home: Path) -> list[Browser]:
    """Without those that this machine has as Snaps or system-wide Flatpaks."""
    return [one for one in found if one.program.startswith(str(home))]


def test_browsers_are_found_in_the_order_of_preference(home: Path) -> None:
    for name in (
        *("google-chrome-unstable", "google-chrome-beta", "microsoft-edge", "brave-browser"),
        *("chromium", "google-chrome", "google-chrome-stable", "firefox", "firefox-esr", "vim"),
    ):
        program(home / "bin" / name)
    flatpaks = home / ".local/share/flatpak/exports/bin"
    program(flatpaks / "org.chromium.Chromium")
    found = [Path(one.program).name for one in of_home(installed.find(CHROMIUMS), home)]
    assert found == [
        *("google-chrome-stable", "chromium", "org.chromium.Chromium", "brave-browser"),
        *("microsoft-edge", "google-chrome-beta", "google-chrome-unstable"),
    ]
    assert [Path(b.program).name for b in of_home(installed.find(FIREFOXES), home)] == ["firefox"]


def test_a_profile_lies_where_its_browser_can_read_it(home: Path) -> None:
    own = installed.describe(str(program(home / "bin/chromium")))
    assert own.data.parent == home / ".local/share/agtool/le-staging/browsers"
    assert not own.confined
    other = installed.describe(str(program(home / "opt/chromium")))
    assert other.data != own.data
    flatpak = installed.describe("/var/lib/flatpak/exports/bin/com.google.Chrome")
    assert flatpak.confined
    assert flatpak.data == home / ".var/app/com.google.Chrome/data/agtool-le-staging"
    snap = installed.describe("/snap/bin/chromium")
    assert snap.confined
    assert snap.data == home / "snap/chromium/common/agtool-le-staging"
    # Ubuntu's chromium-browser is a script that starts the Snap.
    script = program(home / "bin/chromium-browser", '#!/bin/sh\nexec /snap/bin/chromium "$@"\n')
    assert installed.describe(str(script)).data == snap.data


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(("firefox", "package"), [(False, "chromium"), (True, "firefox-esr")])
def test_without_a_browser_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, firefox: bool, package: str
) -> None:
    monkeypatch.setattr(
        installed, "find", lambda _: iter(())
    )  # a Snap is found wherever PATH leads
    with pytest.raises(ConfigurationError) as raised:
        installed.choose(None, firefox=firefox)
    assert f"apt install {package}" in raised.value.hint
    with pytest.raises(ConfigurationError, match="chrome2 was not found"):
        installed.choose("chrome2", firefox=firefox)


@pytest.mark.parametrize(
    ("said", "name", "number", "is_firefox"),
    [
        ("Chromium 156.0.8078.79 built on Debian", "Chromium", "156.0.8078.79", False),
        ("Google Chrome 140.0.7339.80 ", "Google Chrome", "140.0.7339.80", False),
        ("Brave Browser 140.1.82.161", "Brave Browser", "140.1.82.161", False),
        ("Mozilla Firefox 153.7.0esr", "Mozilla Firefox", "153.7.0", True),
        ("a warning\nMicrosoft Edge 140.0.3485.54", "Microsoft Edge", "140.0.3485.54", False),
    ],
)
def test_versions(home: Path, said: str, name: str, number: str, is_firefox: bool) -> None:
    path = program(home / "bin/x", f"#!/bin/sh\ncat <<'END'\n{said}\nEND\n")
    os.environ["PATH"] += ":/usr/bin:/bin"  # for cat; the fixture takes it back
    version = installed.version(installed.describe(str(path)))
    assert (version.name, version.number, version.is_firefox) == (name, number, is_firefox)


# -- how they are started ---------------------------------------------------------------------


def every_profile(folder: Path) -> list[Profile]:
    """A profile of every kind, with and without a sandbox."""
    one = Browser("/usr/bin/browser", folder)
    kinds = (tested.STORE, tested.HOME, tested.FIREFOX)
    return [tested.make(k, one, folder, sandbox=s) for k in kinds for s in (True, False)]


@pytest.mark.parametrize("headless", [False, True])
def test_no_flag_and_no_preference_weakens_a_check(tmp_path: Path, headless: bool) -> None:
    allowed = {
        *("--user-data-dir", "--profile-directory", "--class", "--no-first-run", "--profile"),
        *("--no-default-browser-check", "--disable-sync", "--headless", "--disable-gpu"),
        *("--disable-background-networking", "--disable-component-update", "--no-sandbox"),
    }
    for profile in every_profile(tmp_path):
        command = profile.command(["https://example.dev"], headless=headless)
        flags = {flag.partition("=")[0] for flag in command.argv if flag.startswith("-")}
        assert flags <= allowed
        assert command.argv[-1] == "https://example.dev"
    words = ("security", "ssl", "tls", "cert", "ocsp", "pki", "hsts")
    for name in firefox._PREFERENCES:  # noqa: SLF001  # what is in there matters, not its use
        assert not any(word in name for word in words), name


def test_the_sandbox_goes_only_when_told(tmp_path: Path) -> None:
    with_it = [p for p in every_profile(tmp_path) if "--no-sandbox" not in p.command([]).argv]
    assert len(with_it) == 4  # both kinds of Chromium, and Firefox in both cases


def test_a_confined_browser_cannot_be_given_a_home() -> None:
    chromium, esr = Version("Chromium", "156.0"), Version("Mozilla Firefox", "153.0")
    own, confined = Browser("/usr/bin/c", Path("/x")), Browser("/snap/bin/c", Path("/x"), True)
    assert tested.kinds(own, chromium) == [tested.STORE, tested.HOME]
    assert tested.kinds(confined, chromium) == [tested.STORE]
    assert tested.kinds(confined, esr) == [tested.FIREFOX]


def test_root_is_told_to_be_someone_else(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program(home / "bin/chromium", "#!/bin/sh\necho Chromium 156.0.1\n")

    def choose(*, no_sandbox: bool) -> str:
        _, version = opening.choose(opening.Wish(browser=str(path), sandbox=not no_sandbox))
        return str(version)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(ConfigurationError, match="does not start as root") as raised:
        choose(no_sandbox=False)
    assert "--no-sandbox" in raised.value.hint
    assert choose(no_sandbox=True) == "Chromium 156.0.1"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert choose(no_sandbox=False) == "Chromium 156.0.1"


# -- the self test ----------------------------------------------------------------------------

ALL = frozenset({"good", "inside", "outside", *BAD})


def test_a_browser_that_behaves() -> None:
    found = behaviour(Visits(tried=ALL, served=frozenset({"good", "inside"})))
    assert found == selftest.Behaviour(True, [], [], True)


@given(st.sets(st.sampled_from(sorted(ALL))), st.sets(st.sampled_from(sorted(ALL))))
def test_nothing_bad_that_was_served_is_overlooked(served: set[str], tried: set[str]) -> None:
    found = behaviour(Visits(frozenset(tried | served), frozenset(served)))
    assert len(found.accepted) == len(served & BAD.keys())
    assert len(found.untested) == len(BAD.keys() - tried - served)
    assert found.trusts == ("good" in served)
    assert not (found.limits and "outside" in served)


def test_what_was_not_tried_has_not_passed(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    one, version = Browser("/usr/bin/x", home / "data"), Version("Chromium", "1.2")
    seen = Visits(ALL - {"expired"}, frozenset({"good"}))
    monkeypatch.setattr(selftest, "observe", lambda *_: seen)
    with pytest.raises(ConfigurationError, match="did not try an expired certificate"):
        tested.test(one, version, sandbox=True)
    monkeypatch.setattr(selftest, "observe", lambda *_: Visits(ALL, ALL))
    with pytest.raises(DeniedError, match="accepts an expired certificate"):
        tested.test(one, version, sandbox=True)
    monkeypatch.setattr(selftest, "observe", lambda *_: Visits(frozenset({"good"}), frozenset()))
    with pytest.raises(ConfigurationError, match="does not trust the root of its own profile"):
        tested.test(one, version, sandbox=True)
    assert tested.recall() == {}
    monkeypatch.setattr(selftest, "observe", lambda *_: Visits(ALL, frozenset({"good", "inside"})))
    passed = tested.test(one, version, sandbox=True)
    assert passed.kind == tested.STORE
    assert tested.remembered(one, version) == passed
    assert tested.remembered(one, Version("Chromium", "1.3")) is None


def test_what_a_killed_self_test_has_left_goes_with_the_next(tmp_path: Path) -> None:
    (tmp_path / "self-test-old/profile").mkdir(parents=True)
    with selftest._temporary(tmp_path) as folder:  # noqa: SLF001
        assert list(tmp_path.iterdir()) == [folder]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "[]", '{"/x": {"version": "1"}}', '{"/x": 1}', "\xff"])
def test_what_cannot_be_read_was_not_tested(home: Path, text: str) -> None:
    file = home / ".local/share/agtool/le-staging/self-tests.json"
    file.parent.mkdir(parents=True)
    file.write_bytes(text.encode("latin-1"))
    assert tested.recall() == {}


# -- arguments --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("example.dev", "https://example.dev"),
        ("example.dev:8443/path?q=1", "https://example.dev:8443/path?q=1"),
        ("http://example.dev", "http://example.dev"),
        ("[::1]:8443", "https://[::1]:8443"),
    ],
)
def test_addresses(text: str, url: str) -> None:
    assert url_of_site(text) == url


@pytest.mark.parametrize(
    "text",
    [
        *("", "-x", "--ignore-certificate-errors", "file:///etc/passwd", "a b", "https://", "a\n"),
        *("example.dev:99999", "example.dev:0", "javascript:alert(1)"),
    ],
)
def test_what_is_not_a_url_of_a_site(text: str) -> None:
    with pytest.raises(UsageError, match="is not a valid URL"):
        url_of_site(text)


def test_domains_of_only() -> None:
    given_domains = ["*.Example.dev", ".example.dev", "example.org.", "bücher.example"]
    assert domains(given_domains) == (*("example.dev", "example.org", "xn--bcher-kva.example"),)
    for wrong in ("10.0.0.1", "", "a b", "*"):
        with pytest.raises(UsageError):
            domains([wrong])
