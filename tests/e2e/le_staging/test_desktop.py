"""`agtool le-staging desktop` and `remove`: a launcher that works, and nothing left of it."""

import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agtool.le_staging.browser.launcher import SIZES
from tests.conftest import needed
from tests.e2e.conftest import wait_until
from tests.e2e.le_staging.conftest import DOMAIN, Home
from tests.e2e.terminal import Terminal
from tests.servers.certificates import Issued
from tests.servers.chains import Chains
from tests.servers.process import find_program, server_folder
from tests.servers.screen import Screen

GOOD = f"good.{DOMAIN}"
ENTRY = ".local/share/applications/chrome-le.desktop"


def tool(home: Home, name: str, *arguments: str | Path) -> str:
    """Run a desktop's tool to its end, and return what it says."""
    with needed():
        program = find_program(name)
    done = subprocess.run(
        [program, *arguments],
        env={**home.environment, "PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_launcher_opens_addresses_and_takes_over_nothing(
    home: Home, staging: Issued, chains: Chains, screen: Screen
) -> None:
    browser = home.chromium()
    applications = home.folder / ".local/share/applications"
    applications.mkdir()
    (applications / "normal.desktop").write_text(
        "[Desktop Entry]\nType=Application\nName=Normal\nExec=true %U\n"
        "MimeType=x-scheme-handler/https;\n"
    )
    tool(home, "update-desktop-database", applications)
    assert "normal.desktop" in tool(home, "gio", "mime", "x-scheme-handler/https")

    done = home.le_staging("desktop", "--no-sandbox", "--browser", browser, "--only", DOMAIN)
    assert done.exit_code == 0, done.stderr
    entry = home.folder / ENTRY
    assert tool(home, "desktop-file-validate", entry) == ""
    assert home.json("status")["data"]["launcher"]["state"] == "ok"

    # The link of another program still opens where it did.
    mime = tool(home, "gio", "mime", "x-scheme-handler/https")
    assert "normal.desktop" in mime
    assert "chrome-le.desktop" not in mime

    tool(home, "gio", "launch", entry, chains.url(GOOD))
    wait_until(lambda: GOOD in chains.served, "the launcher opened the page")
    wait_until(lambda: f"{GOOD} - Chromium" in screen.windows(), "the window is there")
    # What joins window and launcher on the desktop, so that it shows the icon.
    wm_class = screen.windows()[f"{GOOD} - Chromium"]
    text = entry.read_text()
    assert f"StartupWMClass={wm_class}\n" in text
    assert "Icon=chrome-le\n" in text
    (status,) = home.json("status")["data"]["browsers"]["browsers"]
    assert status["trusts"] == {staging.sha256: [DOMAIN]}


@pytest.mark.usefixtures("staging")
@pytest.mark.parametrize("name", ["chromium", "firefox-esr"])
def test_on_wayland_too_the_window_has_the_launcher_s_class(home: Home, name: str) -> None:
    with needed(), server_folder() as folder:
        browser = home.chromium() if name == "chromium" else find_program(name)
        weston = find_program("weston")
        wayland = {"XDG_RUNTIME_DIR": str(folder), "WAYLAND_DISPLAY": "wayland-9", "DISPLAY": ""}
        with (folder / "weston.log").open("wb") as log:
            compositor = subprocess.Popen(
                [weston, "--backend=headless-backend.so", "--socket=wayland-9", "--idle-time=0"],
                env={**os.environ, **wayland},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_until((folder / "wayland-9").exists, "the compositor is ready")
            sandbox = ("--no-sandbox",) if name == "chromium" else ()
            done = home.le_staging(
                *("chrome", *sandbox, "--browser", browser),
                env={**wayland, "XDG_SESSION_TYPE": "wayland", "WAYLAND_DEBUG": "1"},
            )
            assert done.exit_code == 0, done.stderr
            (log_of_browser,) = home.folder.glob(".local/share/agtool/le-staging/*/*/browser.log")
            says = 'set_app_id("chrome-le")'
            wait_until(lambda: says in log_of_browser.read_text(errors="replace"), says)
            home.end_browsers()
        finally:
            compositor.terminate()
            compositor.wait(30)


@pytest.mark.usefixtures("staging")
def test_the_icon_is_in_the_theme_in_all_sizes(home: Home) -> None:
    command = ("desktop", "--no-sandbox", "--browser", home.chromium())
    assert home.le_staging(*command).exit_code == 0
    icons = home.folder / ".local/share/icons/hicolor"
    for size in SIZES:
        image = (icons / f"{size}x{size}/apps/chrome-le.png").read_bytes()
        assert image[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">II", image[16:24]) == (size, size)
    assert (icons / "scalable/apps/chrome-le.svg").read_bytes().startswith(b"<?xml")
    # Once more changes nothing, and what is missing comes back.
    before = home.tree()
    (icons / "48x48/apps/chrome-le.png").unlink()
    broken = home.json("status")
    assert broken["exit_code"] == 1
    assert broken["data"]["launcher"]["state"] == "broken"
    assert home.le_staging(*command).exit_code == 0
    assert home.tree() == before


@pytest.mark.parametrize("with_caches", [False, True], ids=["new home", "home with caches"])
def test_remove_leaves_no_trace(
    home: Home, chains: Chains, request: pytest.FixtureRequest, with_caches: bool
) -> None:
    share = home.folder / ".local/share"
    if with_caches:
        (share / "applications").mkdir()
        (share / "icons/hicolor/48x48/apps").mkdir(parents=True)
        (share / "icons/hicolor/48x48/apps/mine.png").write_bytes(b"an icon of another program")
        tool(home, "update-desktop-database", share / "applications")
        tool(home, "gtk-update-icon-cache", "--ignore-theme-index", share / "icons/hicolor")
        # To GTK it is newer than the icons to come, as if all were made within one second.
        now = time.time()
        os.utime(share / "icons/hicolor/icon-theme.cache", (now + 60, now + 60))
    before = _without_times(home)
    request.getfixturevalue("staging")
    browser = home.chromium()
    browser_options = ("--no-sandbox", "--browser", browser)
    assert home.le_staging("desktop", *browser_options).exit_code == 0
    if with_caches:
        cache = share / "icons/hicolor/icon-theme.cache"
        assert b"chrome-le" in cache.read_bytes()
    assert home.le_staging("chrome", *browser_options, chains.url(GOOD)).exit_code == 0
    wait_until(lambda: GOOD in chains.served, "the page was asked for")
    home.end_browsers()

    asked = home.json("remove")
    assert (asked["exit_code"], asked["errors"][0]["code"]) == (2, "usage")
    assert "--yes" in asked["errors"][0]["hint"]
    removed = home.json("remove", "--yes")["data"]["removed"]
    assert str(home.folder / ENTRY) in removed
    after = _without_times(home)
    left = {path for path in after if path not in before}
    # What Chromium and its libraries make in every home, with or without agtool.
    own = (".cache", ".local/share/pki", "Downloads", ".config")
    assert {path for path in left if not path.startswith(own)} == set()
    assert {path: after.get(path) for path in before} == before
    assert home.json("remove", "--yes")["data"]["removed"] == []
    assert home.json("status")["data"]["browsers"]["state"] == "not-installed"


@pytest.mark.usefixtures("staging")
@pytest.mark.parametrize(
    ("answer", "exit_code"), [("n\n", 1), ("\n", 1), ("\x03", 130), ("\x04", 1), ("y\n", 0)]
)
def test_remove_asks_on_a_terminal(home: Home, answer: str, exit_code: int) -> None:
    before = home.tree()
    argv = [sys.executable, "-m", "agtool", "le-staging", "remove"]
    terminal = Terminal(argv, home.environment)
    try:
        terminal.expect(r"\? \[y/N\] ")
        terminal.until_it_listens()
        terminal.type(answer)
        assert terminal.wait() == exit_code, terminal.text
    finally:
        terminal.kill()
    assert "bug" not in terminal.text
    assert (home.tree() == before) == bool(exit_code)


def _without_times(home: Home) -> dict[str, object]:
    """The tree; of a cache, which holds times, only the names that it knows."""
    return {
        path: (mode, b"chrome-le" in content) if path.endswith(".cache") else (mode, content)
        for path, (mode, content) in home.tree().items()
    }
