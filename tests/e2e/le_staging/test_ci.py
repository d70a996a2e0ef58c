"""`agtool le-staging verify` and `check` in CI: exit codes, lists, reports, as they are run."""

import json
import shlex
import stat
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.e2e.le_staging.site import AGTOOL, OFFLINE, PROXIES, Site, hosts_of
from tests.servers import tls
from tests.servers.certificates import root, to_pem


def test_a_list_with_mistakes(site: Site, tmp_path: Path) -> None:
    site.fetch()
    listed = tmp_path / "hosts"
    lines = ["shop.test", "two words", "*.test", "shop.test:x", "a..b", "other.test"]
    listed.write_text("\r\n".join(lines), encoding="utf-8-sig")  # as Windows writes it
    done = site.le_staging(
        "verify", "--from-file", listed, "", *site.to("shop.test", "other.test"), "-o", "json"
    )
    assert (done.exit_code, done.stderr) == (1, "")
    found = {host["target"]: [p["code"] for p in host["problems"]] for host in hosts_of(done)}
    assert found == {
        "''": ["no-host"],
        "shop.test": [],
        "two words": ["no-host"],
        "*.test": ["no-host"],
        "shop.test:x": ["no-host"],
        "a..b": ["no-host"],
        "other.test": ["wrong-name"],
    }
    done = site.le_staging("verify", "--from-file", listed, *site.to("shop.test", "other.test"))
    assert done.exit_code == 1
    assert "5 of 6 hosts did not verify" in done.stdout


def test_a_file_with_mistakes_only_is_no_usage_error(site: Site, tmp_path: Path) -> None:
    site.fetch()
    (tmp_path / "hosts").write_text("two words\n", encoding="utf-8")
    done = site.le_staging("verify", "--from-file", tmp_path / "hosts")
    assert done.exit_code == 1
    assert done.stdout.startswith("two words  FAILED")


def test_production_needs_no_staging_roots(site: Site) -> None:
    """Not fetched, not looked for; a staging certificate is told by its names then."""
    arguments = ("--expect", "production", "-o", "json", *site.to("shop.test"))
    done = site.le_staging("verify", "shop.test", *arguments, **OFFLINE, NO_PROXY="*")
    assert (done.exit_code, done.stderr) == (1, "")
    assert hosts_of(done)[0]["verdict"] == "FAILED"
    done = site.le_staging("check", "/dev/null", "--expect", "production", **OFFLINE)
    assert done.exit_code == 1


@pytest.mark.parametrize("damage", ["garbage", "", None])
def test_production_does_not_mind_what_became_of_the_roots(site: Site, damage: str | None) -> None:
    """Edited, emptied, or a folder in their place."""
    site.fetch()
    roots = Path(site.environment["XDG_DATA_HOME"]) / "agtool/le-staging/roots.pem"
    roots.unlink()
    if damage is None:
        roots.mkdir()
    else:
        roots.write_text(damage)
    done = site.le_staging("verify", "shop.test", "--expect", "production", *site.to("shop.test"))
    assert done.exit_code == 1, done.stderr
    assert "shop.test" in done.stdout
    assert "production works without" in done.stderr
    assert "fetch --force" in done.stderr


def test_a_staging_certificate_is_told_without_the_roots(site: Site, tmp_path: Path) -> None:
    middle = root("(STAGING) Pretend Pear X1").intermediate("(STAGING) Riddling Rhubarb R12")
    context = tls.tls_context(tmp_path / "staging", middle.leaf("shop.test"))
    with tls.Listener(tls.https(context)) as server:
        to = ("--connect-to", f"::127.0.0.1:{server.port}")
        done = site.le_staging("verify", "shop.test", "--expect", "production", "-o", "json", *to)
    problems = [problem["code"] for problem in hosts_of(done)[0]["problems"]]
    assert "still-staging" in problems


def test_warnings_that_fail(site: Site) -> None:
    site.fetch()
    to = site.to("shop.test")
    # Sixty of sixty-one days are left.
    for options, warned in (
        (("--warn-days", "14"), False),
        (("--warn-days", "90"), True),
        (("--warn-left", "33%"), False),
        (("--warn-left", "99.5%"), True),
    ):
        done = site.le_staging("verify", "shop.test", *options, *to, "-o", "json")
        (host,) = hosts_of(done)
        assert [warning["code"] for warning in host["warnings"]] == ["expires-soon"] * warned
        assert done.exit_code == 0
        done = site.le_staging("verify", "shop.test", *options, "--fail-on-warning", *to)
        assert done.exit_code == int(warned)
    for share in ("33", "101%", "-1%", "x"):
        assert site.le_staging("verify", "shop.test", "--warn-left", share, *to).exit_code == 2


def test_junit(site: Site) -> None:
    site.fetch()
    names = ("shop.test", "other.test")
    done = site.le_staging("verify", *names, "-o", "junit", "--warn-days", "90", *site.to(*names))
    assert (done.exit_code, done.stderr) == (1, "")
    suites = ET.fromstring(done.stdout)  # noqa: S314  # our own
    (suite,) = suites
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("2", "1")
    cases = {case.attrib["name"]: case for case in suite}
    assert list(cases) == list(names)
    assert cases["shop.test"].find("failure") is None
    failure = cases["other.test"].find("failure")
    assert failure is not None
    assert failure.attrib["type"] == "wrong-name expires-soon"
    assert "not for other.test" in failure.attrib["message"]
    assert "Check that DNS leads" in (failure.text or "")
    done = site.le_staging(
        "verify", *names, "-o", "junit", "--warn-days", "90", "--fail-on-warning", *site.to(*names)
    )
    assert ET.fromstring(done.stdout)[0].attrib["failures"] == "2"  # noqa: S314


def test_what_a_server_says_does_not_break_the_reports(site: Site, tmp_path: Path) -> None:
    """Control characters, markup and quotes in a certificate's names."""
    site.fetch()
    odd = 'a"b<c>&\\\x1b[2J\n'
    leaf = root(odd).intermediate(odd).leaf("x.test")
    context = tls.tls_context(tmp_path / "odd", leaf, [leaf.certificate, *leaf.above])
    with tls.Listener(tls.https(context)) as server:
        to = ("--connect-to", f"::127.0.0.1:{server.port}")
        done = site.le_staging("verify", "shop.test", "-o", "junit", *to)
        assert ET.fromstring(done.stdout)[0].attrib["failures"] == "1"  # noqa: S314
        assert "\x1b" not in done.stdout
        done = site.le_staging("verify", "shop.test", "-o", "prometheus", *to)
        assert "\x1b" not in done.stdout


def test_prometheus(site: Site) -> None:
    site.fetch()
    names = ("shop.test", "other.test")
    done = site.le_staging("verify", *names, "-o", "prometheus", *site.to(*names))
    assert done.exit_code == 1
    samples = dict(
        line.rsplit(" ", 1) for line in done.stdout.splitlines() if not line.startswith("#")
    )
    assert samples['agtool_le_staging_as_expected{host="shop.test"}'] == "1"
    assert samples['agtool_le_staging_as_expected{host="other.test"}'] == "0"
    assert samples['agtool_le_staging_verdict{host="other.test",verdict="FAILED"}'] == "1"
    assert samples['agtool_le_staging_problem{host="other.test",code="wrong-name"}'] == "1"
    expires = int(samples['agtool_le_staging_not_after_timestamp_seconds{host="shop.test"}'])
    assert expires == int(site.leaf.certificate.not_valid_after_utc.timestamp())
    told = [line.split()[2] for line in done.stdout.splitlines() if line.startswith("# TYPE")]
    assert {name.split("{")[0] for name in samples} <= set(told)


def test_text_is_table(site: Site) -> None:
    site.fetch()
    done = site.le_staging("verify", "shop.test", "-o", "text", *site.to("shop.test"))
    assert done.stdout.startswith("shop.test:443  STAGING\n")
    assert site.le_staging("fetch", "-o", "text").exit_code == 2


def test_check_files(site: Site, tmp_path: Path) -> None:
    site.fetch()
    chain, key = tmp_path / "fullchain.pem", tmp_path / "privkey.pem"
    chain.write_text(to_pem(*site.leaf.chain))
    key.write_text(site.leaf.key_pem)
    done = site.le_staging("check", chain, key, "--name", "shop.test")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == f"{chain}  STAGING"
    assert "the private key belongs to it" in done.stdout
    done = site.le_staging("check", chain, "--name", "other.test", "-o", "json")
    (found,) = json.loads(done.stdout)["data"]["chains"]
    assert (done.exit_code, found["verdict"], found["key_fits"]) == (1, "FAILED", None)
    (problem,) = found["problems"]
    assert (problem["code"], problem["subject"]) == ("wrong-name", str(chain))
    done = site.le_staging("check", chain, "--expect", "production", "-o", "json")
    (found,) = json.loads(done.stdout)["data"]["chains"]
    assert [problem["code"] for problem in found["problems"]] == ["still-staging"]
    assert site.le_staging("check", tmp_path / "missing").exit_code == 3
    assert site.le_staging("check").exit_code == 2


def test_check_stdin(site: Site) -> None:
    site.fetch()
    argv = [*AGTOOL, "le-staging", "check", "-"]
    done = subprocess.run(
        argv,
        input=to_pem(*site.leaf.chain),
        env=site.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_root_of_one_s_own_for_one_call(site: Site, tmp_path: Path) -> None:
    """Beside the roots that were fetched, and not instead of them."""
    site.fetch()
    other = root("Other Root")
    (tmp_path / "ca.pem").write_text(other.pem)
    context = tls.tls_context(tmp_path / "other", other.leaf("other.test"))
    with tls.Listener(tls.https(context)) as server:
        to = ("--connect-to", f"other.test:443:127.0.0.1:{server.port}", *site.to("shop.test"))
        arguments = ("verify", "other.test", "shop.test", *to)
        assert site.le_staging(*arguments).exit_code == 1
        done = site.le_staging(*arguments, "--cacert", tmp_path / "ca.pem")
        assert done.exit_code == 0, done.stdout
    own = tmp_path / "own.pem"
    own.write_text(site.ca.pem)
    alone = site.le_staging(
        *("verify", "shop.test", *site.to("shop.test"), "--proxy", "", "--cacert"),
        own,
        **{
            "XDG_DATA_HOME": str(tmp_path / "nothing fetched"),
            **dict.fromkeys(PROXIES, "http://127.0.0.1:1"),
        },
    )
    assert alone.exit_code == 0, alone.stderr
    assert "only --cacert counts" in alone.stderr
    for content, code in (("", 3), (None, 3)):
        file = tmp_path / "bad.pem"
        if content is not None:
            file.write_text(content)
        else:
            file.unlink()
        assert site.le_staging("verify", "shop.test", "--cacert", file).exit_code == code


def test_a_proxy_of_the_environment_is_used(site: Site) -> None:
    site.fetch()
    with tls.Listener(tls.connect_proxy(site.server.port)) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        done = site.le_staging("verify", "shop.test", HTTPS_PROXY=url)
        assert (done.exit_code, proxy.connections) == (0, 1), done.stdout
        done = site.le_staging("verify", "shop.test", "--proxy", url)
        assert (done.exit_code, proxy.connections) == (0, 2)
        to = site.to("shop.test")
        for more in ({"NO_PROXY": "127.0.0.0/8"}, {"no_proxy": "*"}):
            assert (
                site.le_staging("verify", "shop.test", *to, HTTPS_PROXY=url, **more).exit_code == 0
            )
        done = site.le_staging("verify", "shop.test", *to, "--proxy", "", HTTPS_PROXY=url)
        assert (done.exit_code, proxy.connections) == (0, 2)
    assert site.le_staging("verify", "shop.test", "--proxy", "socks5://x").exit_code == 3


@pytest.mark.parametrize("option", [("--key", "x"), ("--alpn", "ü"), ("--alpn", "")])
def test_options_that_make_no_sense(site: Site, option: tuple[str, str]) -> None:
    site.fetch()
    assert site.le_staging("verify", "shop.test", *option).exit_code == 2


def test_the_data_folder_is_private(site: Site, tmp_path: Path) -> None:
    script = f"umask 000; exec {shlex.join(AGTOOL)} le-staging fetch --url $0 --fingerprint $1"
    with tls.Listener(tls.plain_file(site.ca.pem.encode())) as source:
        url = f"http://127.0.0.1:{source.port}/"
        argv = ["sh", "-c", script, url, site.ca.sha256]
        subprocess.run(argv, env=site.environment, check=True, capture_output=True, timeout=60)
    for folder in ("data", "data/agtool", "data/agtool/le-staging"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700


@pytest.mark.parametrize("expect", ["staging", "production"])
def test_a_healthy_host_needs_no_slow_library(site: Site, tmp_path: Path, expect: str) -> None:
    """What they take to import is a multiple of what a handshake takes."""
    site.fetch()
    code = (
        "import sys, certifi; public = sys.argv.pop(1); certifi.where = lambda: public;"
        "from agtool.__main__ import main; code = main();"
        "print(*sys.modules, file=sys.stderr);"
        "sys.exit(code)"
    )
    (tmp_path / "public.pem").write_text(site.ca.pem)
    # For production the same host is a public one, and none of staging was fetched.
    data = {"XDG_DATA_HOME": str(tmp_path / "none")} if expect == "production" else {}
    arguments = ("le-staging", "verify", "shop.test", "--expect", expect, *site.to("shop.test"))
    done = subprocess.run(
        [AGTOOL[0], "-c", code, str(tmp_path / "public.pem"), *arguments],
        env={**site.environment, **data},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"shop.test:443  {expect.upper()}\n")
    loaded = set(done.stderr.split())
    assert "ssl" in loaded
    assert not loaded & {"OpenSSL", "cryptography", "httpx", "rich", "kubernetes", "yaml"}
    assert not loaded & {
        "agtool.le_staging.documents",
        "agtool.le_staging.cluster",
        "agtool.core.kube",
    }
    assert not loaded & {"json", "_strptime", "encodings.idna"}
    others = {f"agtool.le_staging.cli.{name}" for name in ("check", "env", "status", "browser")}
    assert not loaded & others
