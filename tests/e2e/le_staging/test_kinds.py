"""Every browser that `chrome` finds, as a launch script that stands for it around a Chromium.

Chrome, Brave and Edge, Snaps and Flatpaks cannot be had here. What agtool sees of them can: the
names and forms of what starts them, what they say of their version, and what they cannot read.
"""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import needed
from tests.e2e.conftest import wait_until
from tests.e2e.le_staging.conftest import BAD, DOMAIN, Home
from tests.servers.certificates import Issued
from tests.servers.chains import Chains
from tests.servers.process import ServerUnavailable
from tests.servers.screen import Screen

GOOD = f"good.{DOMAIN}"
PROFILE = "lets-encrypt-staging-trust"

VERSIONS = {
    "google-chrome-stable": "Google Chrome 156.0.8078.79",
    "google-chrome": "Google Chrome 156.0.8078.79",
    "google-chrome-beta": "Google Chrome 157.0.8100.3",
    "google-chrome-unstable": "Google Chrome 158.0.8120.1",
    "brave-browser": "Brave Browser 156.1.82.161",
    "microsoft-edge": "Microsoft Edge 156.0.3485.54",
}


def stand_in(home: Home, path: Path, version: str, *confining: str) -> Path:
    """Make what stands for a browser: it says this version, and starts the Chromium."""
    chromium = home.chromium(name="real-chromium")
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        "#!/bin/bash",
        "set -e",
        f'case "$*" in *--version*) echo "{version} beta"; exit;; esac',
        *confining,
        # As in Google's own script, which Brave and Edge have too.
        "exec < /dev/null",
        "exec > >(exec cat)",
        "exec 2> >(exec cat >&2)",
        f'exec -a "$0" "{chromium}" "$@"',
    ]
    path.write_text("\n".join([*lines, ""]))
    path.chmod(0o755)
    return path


def namespace() -> str:
    """The line with which a script starts itself again where it can mount over folders."""
    unshare = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    with needed():
        if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
            raise ServerUnavailable("a mount in a namespace of one's own is forbidden here")
    return f'[ "$CONFINED" ] || CONFINED=1 exec {" ".join(unshare)} "$0" "$@"'


def snap(home: Home) -> Path:
    """Ubuntu's script around the Snap, which sees no hidden folder of the home."""
    return stand_in(
        home,
        home.bin / "chromium-browser",
        "Chromium 156.0.8078.79 snap",
        "# exec /snap/bin/chromium",
        namespace(),
        'for hidden in "$HOME"/.[a-z]*; do mount -t tmpfs none "$hidden"; done',
        'export HOME="$HOME/snap/chromium/42"',
        'mkdir -p "$HOME"',
    )


def flatpak(home: Home) -> Path:
    """The script that a Flatpak exports; it sees nothing of the home but its own folder."""
    name = "com.google.Chrome"
    return stand_in(
        home,
        home.folder / ".local/share/flatpak/exports/bin" / name,
        "Google Chrome 156.0.8078.79",
        namespace(),
        f'own="$HOME/.var/app/{name}" kept={home.bin}/kept',
        'mkdir -p "$own" "$kept"',
        'mount --bind "$own" "$kept"',
        'mount -t tmpfs none "$HOME"',
        'mkdir -p "$own"',
        'mount --bind "$kept" "$own"',
    )


@pytest.mark.usefixtures("staging")
@pytest.mark.parametrize("name", VERSIONS)
def test_each_gets_a_profile_of_its_own(home: Home, name: str) -> None:
    script = stand_in(home, home.bin / name, VERSIONS[name])
    options = ("--no-sandbox", "--browser", script, "--dry-run", DOMAIN)
    plan = home.json("chrome", *options)["data"]
    assert plan["browser"] == {"name": VERSIONS[name], "program": str(script)}
    folder = Path(plan["profile"]["folder"])
    assert folder.parent == home.folder / ".local/share/agtool/le-staging/browsers"
    assert folder.name.startswith(f"{name}-")
    assert plan["command"] == [
        str(script),
        f"--user-data-dir={folder}",
        f"--profile-directory={PROFILE}",
        *("--class=chrome-le", "--no-first-run", "--no-default-browser-check", "--disable-sync"),
        *("--no-sandbox", f"https://{DOMAIN}"),
    ]


@pytest.mark.usefixtures("staging")
def test_a_script_that_hides_a_snap_is_told_what_to_name(home: Home) -> None:
    script = snap(home)
    script.write_text(script.read_text().replace("/snap/bin/", "/elsewhere/"))
    done = home.le_staging("chrome", "--no-sandbox", "--browser", script)
    assert done.exit_code == 3
    assert "does not trust the root of its own profile" in done.stderr
    assert f"can read {home.folder}/.local/share/agtool/le-staging/browsers/" in done.stderr


def chrome(home: Home) -> Path:
    """A Chrome from a package, which sees all of the home."""
    return stand_in(home, home.bin / "google-chrome", VERSIONS["google-chrome"])


PLACES: dict[Callable[[Home], Path], str] = {
    chrome: ".local/share/agtool/le-staging/browsers/google-chrome-*",
    snap: "snap/chromium/common/agtool-le-staging",
    flatpak: ".var/app/com.google.Chrome/data/agtool-le-staging",
}


@pytest.mark.parametrize("kind", PLACES, ids=lambda kind: kind.__name__)
def test_its_window_trusts_from_a_folder_that_it_can_read(
    home: Home, staging: Issued, chains: Chains, screen: Screen, kind: Callable[[Home], Path]
) -> None:
    browser = kind(home)
    urls = [chains.url(f"{name}.{DOMAIN}") for name in (*BAD, "good")]
    done = home.le_staging("chrome", "--no-sandbox", "--browser", browser, *urls)
    assert done.exit_code == 0, done.stderr
    assert "a home folder of its own" not in done.stderr
    wait_until(lambda: GOOD in chains.served, "the page was asked for")
    wait_until(lambda: len(chains.tried) == len(urls), "all were tried")
    assert chains.served == {GOOD}
    wait_until(screen.windows, "the window is there")
    assert set(screen.windows().values()) == {"chrome-le"}

    (folder,) = home.folder.glob(PLACES[kind])
    assert (folder / PROFILE / "ServerCertificate").stat().st_size
    (status,) = home.json("status")["data"]["browsers"]["browsers"]
    assert (status["folder"], status["running"]) == (str(folder), True)
    assert status["trusts"] == {staging.sha256: []}
    assert home.le_staging("remove", "--yes").exit_code == 5
    home.end_browsers()
    assert home.le_staging("remove", "--yes").exit_code == 0
    assert not folder.exists()
