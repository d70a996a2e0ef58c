"""`agtool le-staging verify`, `fetch`, `curl` and `status` as a person or a script runs them."""

import json
import os
import pty
import shlex
import signal
import stat
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.conftest import clean_environment, wait_until
from tests.e2e.le_staging.site import OFFLINE, Site, hosts_of
from tests.servers import tls


def test_the_first_time(site: Site, tmp_path: Path) -> None:
    done = site.le_staging("verify", "shop.test", **OFFLINE)
    assert (done.exit_code, done.stdout) == (4, "")
    assert "fetching the staging roots" in done.stderr
    assert "cannot fetch https://letsencrypt.org/" in done.stderr

    assert site.le_staging("status").exit_code == 0
    done = site.fetch()
    assert done.exit_code == 0, done.stderr
    bundle = Path(done.stdout.strip())
    assert bundle == tmp_path / "data/agtool/le-staging/roots.pem"
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o644
    assert "fetched Test Staging Root" in done.stderr
    assert "there already" in site.fetch().stderr

    done = site.le_staging("verify", "shop.test", *site.to("shop.test"))
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:4] == [
        "shop.test:443  STAGING",
        "Test Staging Root  (anchor)",
        "└── Test Intermediate",
        "    └── shop.test",
    ]
    assert f"Test Staging Root, SHA-256 {site.ca.sha256}" in done.stdout
    status = site.le_staging("status")
    assert status.exit_code == 0
    assert "private CA" in status.stdout


def test_errors_are_json_too(site: Site) -> None:
    done = site.le_staging("verify", "shop.test", "--output", "json", **OFFLINE)
    document = json.loads(done.stdout)
    assert (done.exit_code, document["status"], document["errors"][0]["code"]) == (
        4,
        "error",
        "unreachable",
    )


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["verify"], 2),
        (["verify", "not a host"], 2),
        (["verify", "shop.test:99999"], 2),
        (["verify", "[::1"], 2),
        (["verify", "shop.test", "--resolve", "shop.test:443"], 2),
        (["verify", "shop.test", "--connect-to", "shop.test:443"], 2),
        (["verify", "shop.test", "--expect", "nothing"], 2),
        (["verify", "shop.test", "--timeout", "0"], 2),
        (["verify", "shop.test", "--timeout", "nan"], 2),
        (["verify", "shop.test", "--output", "name"], 2),
        (["verify", "--from-file", "/no/such/file"], 3),
        (["fetch", "--url", "https://ca.test/"], 2),
        (["fetch", "--fingerprint", "00"], 2),
        (["fetch", "--url", "", "--fingerprint", ""], 2),
        (["chrome", "--browser", ""], 2),
        (["fetch", "--url", "https://ca.test/", "--fingerprint", "00"], 2),
        (["fetch", "--url", "http://127.0.0.1:1/", "--fingerprint", "0" * 64], 4),
        (["curl", "shop.test"], 4),
        (["curl", "not a host"], 2),
    ],
)
def test_exit_codes(site: Site, arguments: list[str], exit_code: int) -> None:
    if arguments[0] == "verify":
        site.fetch()
    done = site.le_staging(*arguments, **OFFLINE)
    assert (done.exit_code, done.stdout) == (exit_code, ""), done.stderr
    assert "agtool: error: " in done.stderr
    assert "Traceback" not in done.stderr


def test_retired_roots_are_refused_by_name(site: Site) -> None:
    for name, sha256 in [
        ("Fake LE Root X1", "219c4ffcfb04f1d3ad6ca79b2b5c6c0f4493177a80fa37cce7fc9a32df28323d"),
        ("Doctored Durian", "0f07d394d10cc0964304dfb93e8aac0f18024cbe2c3471f0f420d0bc56d38c0a"),
    ]:
        done = site.le_staging("fetch", "--url", "https://x.test/", "--fingerprint", sha256)
        assert (done.exit_code, name in done.stderr) == (5, True)


def test_json_of_many_hosts(site: Site, tmp_path: Path) -> None:
    site.fetch()
    listed = tmp_path / "hosts"
    listed.write_text("# ours\nshop.test\n\nother.test  # not there\nshop.test\n", encoding="utf-8")
    names = ("shop.test", "other.test", "xn--bcher-kva.test")
    options = ["--from-file", str(listed), "--warn-days", "90", "--pem", str(tmp_path / "chains")]
    done = site.le_staging("verify", "bücher.test", *options, "--output", "json", *site.to(*names))
    assert (done.exit_code, done.stderr) == (1, "")
    found = {host["target"]: host for host in hosts_of(done)}
    assert list(found) == ["bücher.test", "shop.test", "other.test"]
    good = found["bücher.test"]
    assert (good["host"], good["verdict"]) == ("xn--bcher-kva.test", "STAGING")
    assert (good["matched_name"], good["days_left"]) == ("xn--bcher-kva.test", 59)
    assert [warning["code"] for warning in good["warnings"]] == ["expires-soon"]
    assert good["anchor"] == {"name": "Test Staging Root", "sha256": site.ca.sha256}
    (problem,) = found["other.test"]["problems"]
    assert list(problem) == ["code", "message", "hint", "subject"]
    assert (problem["code"], problem["subject"]) == ("wrong-name", "other.test:443")
    saved = sorted(path.name for path in (tmp_path / "chains").iterdir())
    assert saved == ["other.test_443.pem", "shop.test_443.pem", "xn--bcher-kva.test_443.pem"]
    chain = (tmp_path / "chains/shop.test_443.pem").read_text()
    assert chain.count("BEGIN CERTIFICATE") == 2


def test_hosts_from_stdin_and_a_table_of_many(site: Site) -> None:
    site.fetch()
    argv = [sys.executable, "-m", "agtool", "le-staging", "verify", "--from-file", "-"]
    done = subprocess.run(
        [*argv, *site.to("shop.test", "other.test")],
        input="shop.test\nother.test\n",
        env=clean_environment(site.env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert lines[0].split()[:2] == ["shop.test", "STAGING"]
    assert lines[1].split()[:2] == ["other.test", "FAILED"]
    assert "wrong-name" in lines[2]
    assert lines[-1].startswith("1 of 2 hosts ")
    assert (done.returncode, done.stderr) == (1, "")


def test_resolve_and_ports(site: Site) -> None:
    site.fetch()
    port = str(site.server.port)
    resolve = ("--resolve", f"shop.test:{port}:127.0.0.1")
    assert site.le_staging("verify", f"shop.test:{port}", *resolve).exit_code == 0
    assert site.le_staging("verify", "shop.test", "--port", port, *resolve).exit_code == 0
    done = site.le_staging("verify", f"https://shop.test:{port}/path", "--ip", "4", *resolve)
    assert done.exit_code == 0


def test_the_printed_curl_command(site: Site, tmp_path: Path) -> None:
    site.fetch()
    done = site.le_staging("curl", "bücher.test:8443")
    argv = shlex.split(done.stdout)
    assert argv[0] == "curl"
    assert argv[-1] == "https://xn--bcher-kva.test:8443/"
    assert list(Path(argv[argv.index("--capath") + 1]).iterdir()) == []
    assert "--noproxy" not in argv
    # verify uses the same proxy.
    assert "--noproxy" not in site.le_staging("curl", "shop.test", HTTPS_PROXY="http://x").stdout
    document = json.loads(site.le_staging("curl", "shop.test", "--output", "json").stdout)
    assert document["data"]["argv"][-1] == "https://shop.test/"
    assert tmp_path in Path(document["data"]["argv"][2]).parents


def test_a_damaged_file_shows_in_the_status(site: Site, tmp_path: Path) -> None:
    site.fetch()
    bundle = tmp_path / "data/agtool/le-staging/roots.pem"
    bundle.write_text(bundle.read_text().replace("A", "B"))
    done = site.le_staging("status", "--output", "json")
    assert (done.exit_code, json.loads(done.stdout)["status"]) == (1, "failed")
    roots = json.loads(done.stdout)["data"]["roots"]
    assert (roots["state"], [problem["code"] for problem in roots["problems"]]) == (
        "broken",
        ["configuration"],
    )
    done = site.le_staging("verify", "shop.test")
    assert (done.exit_code, "fetch --force" in done.stderr) == (3, True)
    (warning,) = json.loads(site.fetch("-o", "json").stdout)["data"]["warnings"]
    assert "the file was replaced" in warning["message"]


def test_the_chains_cannot_be_saved(site: Site, tmp_path: Path) -> None:
    site.fetch()
    (tmp_path / "file").touch()
    done = site.le_staging(
        "verify", "shop.test", *site.to("shop.test"), "--pem", tmp_path / "file/chains"
    )
    assert (done.exit_code, "cannot write" in done.stderr) == (3, True)


def test_ctrl_c_ends_it_at_once(site: Site) -> None:
    site.fetch()
    with ExitStack() as stack:
        silent = stack.enter_context(tls.Listener(tls.silent))
        where = f"slow.test:443:127.0.0.1:{silent.port}"
        running = site.agtool.start(
            *("le-staging", "verify", "slow.test", "shop.test", "--timeout", "300"),
            *("--connect-to", where, *site.to("shop.test")),
            env=site.env,
        )
        wait_until(lambda: silent.connections, "it connects")
        running.send(signal.SIGINT)
        done = running.wait()
    assert (done.exit_code, done.stdout, done.stderr) == (130, "", "")
    assert done.seconds < 60


def test_ctrl_c_during_a_download_leaves_nothing(site: Site, tmp_path: Path) -> None:
    with tls.Listener(tls.silent) as silent:
        running = site.agtool.start(
            *("le-staging", "fetch", "--url", f"http://127.0.0.1:{silent.port}/"),
            *("--fingerprint", "0" * 64),
            env=site.env,
        )
        wait_until(lambda: silent.connections, "it connects")
        running.send(signal.SIGINT)
        done = running.wait()
    assert (done.exit_code, done.stdout) == (130, "")
    assert not (tmp_path / "data").exists()


def test_progress_on_a_terminal_only(site: Site) -> None:
    site.fetch()
    leader, follower = pty.openpty()
    with tls.Listener(tls.silent) as silent:
        slow = ("--connect-to", f"slow.test:443:127.0.0.1:{silent.port}", "--timeout", "1s")
        argv = [sys.executable, "-m", "agtool", "le-staging", "verify", "shop.test", "slow.test"]
        done = subprocess.run(
            [*argv, *site.to("shop.test"), *slow],
            env=clean_environment(site.env),
            stdout=subprocess.PIPE,
            stderr=follower,
            timeout=60,
            check=False,
        )
    os.close(follower)
    shown = os.read(leader, 65536).decode()
    os.close(leader)
    assert done.returncode == 1
    assert "hosts checked: 2 of 2" in shown
    assert shown.endswith("\r\x1b[K")  # it is taken away again


@pytest.mark.parametrize("arguments", [["verify"], ["fetch"], ["curl"], ["status"], []])
def test_help_has_examples(site: Site, arguments: list[str]) -> None:
    done = site.le_staging(*arguments, "--help")
    assert done.exit_code == 0
    assert f"agtool le-staging {' '.join(arguments)}".strip() in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [["verify", "shop.test"], ["curl", "shop.test"], ["fetch"], ["status", "--output", "json"]],
)
def test_a_reader_that_went_away_is_no_verdict(site: Site, arguments: list[str]) -> None:
    """1 would say that a host does not verify."""
    site.fetch()
    gone, writer = os.pipe()
    os.close(gone)
    if arguments[0] == "fetch":  # what is there already
        (found,) = json.loads(site.fetch("--output", "json").stdout)["data"]["roots"]
        arguments = ["fetch", "--url", found["url"], "--fingerprint", found["sha256"]]
    where = site.to("shop.test") if arguments[0] == "verify" else []
    done = subprocess.run(
        [sys.executable, "-m", "agtool", "le-staging", *arguments, *where],
        env=clean_environment(site.env),
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, b"Traceback" in done.stderr) == (141, False), done.stderr
