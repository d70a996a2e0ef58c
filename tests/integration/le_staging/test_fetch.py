"""`fetch` against real HTTPS servers; Let's Encrypt's own cannot be reached by a test."""

import os
import resource
import socket
import ssl
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from agtool.core.errors import AgtoolError, ConfigurationError, DeniedError, UnreachableError
from agtool.le_staging.documents import FetchedRoot, RootsFetched
from agtool.le_staging.roots import fetch, store
from agtool.le_staging.roots.fetch import Wanted
from agtool.le_staging.roots.pins import PINS
from tests.integration.le_staging.conftest import Authority
from tests.integration.le_staging.generation_y import settle
from tests.servers import tls
from tests.servers.certificates import Issued, issue, root, to_pem


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty data folder, and none of the person's own proxies."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data"


class Site:
    """An HTTPS server for the name 127.0.0.1 with files to fetch."""

    def __init__(self, folder: Path, ca: Authority) -> None:
        self.files: dict[str, bytes] = {}
        context = tls.tls_context(folder, ca.intermediate.leaf("127.0.0.1", "ca.test"))
        self.listener = tls.Listener(tls.files(context, self.files))

    def has(self, path: str, issued: Issued, content: bytes | None = None) -> Wanted:
        """Serve a certificate, or something else in its place."""
        self.files[path] = issued.pem.encode() if content is None else content
        return Wanted(f"https://127.0.0.1:{self.listener.port}{path}", issued.sha256)


@pytest.fixture
def site(tmp_path: Path, public: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Give a site with a certificate that this machine trusts."""
    (tmp_path / "trusted.pem").write_text(public.root.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    site = Site(tmp_path / "site", public)
    with site.listener:
        yield site


def kept() -> list[str]:
    """The fingerprints of what lies there."""
    return [found.sha256 for found in store.roots()]


def new(done: RootsFetched) -> list[FetchedRoot]:
    """The roots that were fetched now."""
    return [found for found in done.roots if found.fetched_now]


def test_what_was_fetched_is_there(site: Site, home: Path) -> None:
    one, two = root("One"), root("Two", key="rsa2048")
    done = fetch.fetch([site.has("/1", one), site.has("/2", two)], force=False)
    assert [found.name for found in new(done)] == ["One", "Two"]
    assert kept() == [one.sha256, two.sha256]
    assert [found.der for found in store.roots()] == [one.der, two.der]
    # OpenSSL reads the file too, and so does curl.
    assert len(ssl.create_default_context(cafile=store.bundle()).get_ca_certs()) == 2
    assert stat.S_IMODE(store.bundle().stat().st_mode) == 0o644
    assert stat.S_IMODE(store.folder().stat().st_mode) == 0o700
    assert list(store.no_certificates().iterdir()) == []
    assert home in store.bundle().parents


def test_what_is_there_is_not_fetched_again(site: Site) -> None:
    wanted = [site.has("/1", root("One"))]
    fetch.fetch(wanted, force=False)
    before = site.listener.connections
    done = fetch.fetch(wanted, force=False)
    assert (len(done.roots), new(done), site.listener.connections) == (1, [], before)
    done = fetch.fetch(wanted, force=True)
    assert len(new(done)) == 1
    assert site.listener.connections > before


def test_a_second_one_comes_beside_the_first(site: Site) -> None:
    one, two = root("One"), root("Two")
    fetch.fetch([site.has("/1", one)], force=False)
    fetch.fetch([site.has("/2", two)], force=False)
    assert kept() == [one.sha256, two.sha256]


def test_what_another_agtool_fetches_meanwhile_stays(site: Site) -> None:
    first, meanwhile = site.has("/1", root("One")), site.has("/2", root("Two"))

    def slow(connection: socket.socket) -> None:
        connection.recv(65536)
        fetch.fetch([meanwhile], force=False)
        answer = f"HTTP/1.1 302 Found\r\nLocation: {first.url}\r\nContent-Length: 0\r\n"
        connection.sendall(f"{answer}Connection: close\r\n\r\n".encode())

    with tls.Listener(slow) as elsewhere:
        here = Wanted(f"http://127.0.0.1:{elsewhere.port}/", first.sha256)
        done = fetch.fetch([here], force=False)
    assert sorted(kept()) == sorted([first.sha256, meanwhile.sha256])
    assert (len(done.roots), len(new(done))) == (2, 1)


def test_without_network_the_copy_is_used_and_it_says_so(site: Site) -> None:
    wanted = [site.has("/1", root("One")), site.has("/2", root("Two"))]
    fetch.fetch(wanted, force=False)
    site.listener.__exit__()
    before = store.bundle().read_bytes()
    done = fetch.fetch(wanted, force=True)
    assert (len(done.roots), new(done)) == (2, [])
    assert [warning.code for warning in done.warnings] == ["unreachable"]
    assert store.bundle().read_bytes() == before


def test_one_that_the_server_has_lost_stays(site: Site) -> None:
    one, two = site.has("/1", root("One")), site.has("/2", root("Two"))
    fetch.fetch([one, two], force=False)
    del site.files["/1"]
    done = fetch.fetch([one, two], force=True)
    (warning,) = done.warnings
    assert (warning.code, warning.subject) == ("denied", one.url)
    assert "HTTP 404 Not Found" in warning.message
    assert [found.sha256 for found in new(done)] == [two.sha256]
    assert kept() == [one.sha256, two.sha256]


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_one_that_cannot_be_fetched_does_not_take_the_others_with_it(site: Site, lost: int) -> None:
    """It is an error all the same; the next call tries it again."""
    wanted = [site.has(f"/{number}", root(f"Root {number}")) for number in range(3)]
    content = site.files.pop(f"/{lost}")
    with pytest.raises(DeniedError, match=rf"/{lost}: HTTP 404.*2 other roots were fetched"):
        fetch.fetch(wanted, force=False)
    assert set(kept()) == {want.sha256 for want in wanted} - {wanted[lost].sha256}
    site.files[f"/{lost}"] = content
    done = fetch.fetch(wanted, force=False)
    assert [found.sha256 for found in new(done)] == [wanted[lost].sha256]
    assert set(kept()) == {want.sha256 for want in wanted}


@pytest.mark.parametrize("kind", ["another certificate", "the connection breaks", "endless"])
def test_whatever_happens_to_one(site: Site, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = site.has("/1", root("One")), site.has("/2", root("Two"))

    def endless(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
        while True:
            connection.sendall(b" ")
            time.sleep(0.01)

    monkeypatch.setattr(fetch, "_ALL_IN_ALL", 0.2)
    with tls.Listener(endless if kind == "endless" else tls.hang_up) as server:
        if kind == "another certificate":
            site.files["/1"] = root("Forged").pem.encode()
        else:
            one = one._replace(url=f"http://127.0.0.1:{server.port}/")
        with pytest.raises((DeniedError, UnreachableError)):
            fetch.fetch([one, two], force=False)
    assert kept() == [two.sha256]


def test_without_a_network_the_first_one_tells() -> None:
    wanted = [Wanted("http://127.0.0.1:1/", "0" * 64), Wanted("http://127.0.0.1:1/", "1" * 64)]
    with pytest.raises(UnreachableError, match="cannot fetch"):
        fetch.fetch(wanted, force=False)


def test_verify_goes_on_with_what_is_there(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = site.has("/1", root("One")), site.has("/2", root("Two"))
    del site.files["/2"]
    monkeypatch.setattr(fetch, "LETS_ENCRYPT", (one, two))
    assert [found.sha256 for found in fetch.ensure()] == [one.sha256]


@pytest.mark.parametrize(
    "name", ["ISRG Root X1", "Root YR", "YR1", "YR by X1", "a public root", "below a public root"]
)
def test_what_is_no_private_ca_is_refused_by_its_key(site: Site, tmp_path: Path, name: str) -> None:
    """Whatever it is called: as a staging root it would make production staging for good."""
    with pytest.MonkeyPatch.context() as patch:
        worlds = settle(tmp_path, patch)
        patch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
        other = root("Other Public Root")
        worlds.public.write_text(worlds.public.read_text() + other.pem)
        parts = {**worlds.production.parts, "a public root": other}
        parts["below a public root"] = other.intermediate("Other Intermediate")
        # Another certificate of the same key, as somebody would make it.
        renamed = issue(None, "My CA", ca=True, key=parts[name].key)
        for issued in (parts[name], *([renamed] if "below" not in name else [])):
            if issued is renamed and name == "YR1":
                continue  # intermediates rotate, and their keys are not known
            with pytest.raises(DeniedError, match="refused as the root of a private CA"):
                fetch.fetch([site.has("/1", issued)], force=False)
        cross = worlds.staging.parts["YR by X1"]
        with pytest.raises(DeniedError, match="refused as the root of a private CA"):
            fetch.fetch([site.has("/1", cross)], force=False)
        # The staging roots themselves may come from elsewhere, as from a mirror.
        fetch.fetch([site.has("/1", worlds.staging.roots["Root YR"])], force=False)
        fetch.fetch([site.has("/1", root("My own CA"))], force=False)


def test_one_that_an_older_agtool_took_for_private_is_told(site: Site, tmp_path: Path) -> None:
    """And following the hint leads out of it."""
    with pytest.MonkeyPatch.context() as patch:
        worlds = settle(tmp_path, patch)
        patch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
        wrong = worlds.production.roots["Root YR"]
        store.write([store.Root("Root YR", "https://x.test/", wrong.sha256, wrong.der, True)])
        with pytest.raises(ConfigurationError, match="no root of a private CA") as caught:
            store.roots()
        assert "fetch --force" in caught.value.hint
        right = worlds.staging.roots["ISRG Root X1"]
        fetch.fetch([site.has("/1", right)], force=True)
        assert kept() == [right.sha256]


def test_redirects_to_nowhere() -> None:
    for place in ("ftp://ca.test/", "https://ca.test:port/", "http://[", "javascript:alert(1)"):

        def redirect(connection: socket.socket, place: str = place) -> None:
            connection.recv(65536)
            answer = f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n"
            connection.sendall(f"{answer}Connection: close\r\n\r\n".encode())

        with tls.Listener(redirect) as elsewhere:
            here = f"http://127.0.0.1:{elsewhere.port}/"
            with pytest.raises((DeniedError, UnreachableError)) as caught:
                fetch.fetch([Wanted(here, "0" * 64)], force=False)
        assert here in caught.value.message


def test_folders_are_private_whatever_the_umask_is(site: Site, home: Path) -> None:
    before = os.umask(0)
    try:
        fetch.fetch([site.has("/1", root("One"))], force=False)
    finally:
        os.umask(before)
    for folder in (home, home / "agtool", store.folder()):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(store.no_certificates().stat().st_mode) == 0o755
    store.folder().chmod(0o777)  # by an older agtool
    fetch.fetch([site.has("/1", root("Another"))], force=False)
    assert stat.S_IMODE(store.folder().stat().st_mode) == 0o700


def test_a_retired_root_that_is_served_is_called_by_its_name(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = root("Old")
    pin = PINS[-1]._replace(name="Old Root X1", sha256=old.sha256)
    monkeypatch.setattr(fetch, "BY_SHA256", {old.sha256: pin})
    with pytest.raises(DeniedError, match="Old Root X1 is refused"):
        fetch.fetch([site.has("/1", root("New"), old.pem.encode())], force=False)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"<html>Please log in</html>", "no certificate"),
        (b"", "no certificate"),
        (b"x" * 100_000, "much longer"),
        (root("Another").pem.encode(), "another certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "another certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAAA\n-----END CERTIFICATE-----\n", "a damaged certif"),
    ],
    ids=["page", "nothing", "too long", "another", "garbage", "damaged"],
)
def test_something_else_is_refused(site: Site, content: bytes, what: str) -> None:
    good = site.has("/1", root("One"))
    fetch.fetch([good], force=False)
    before = store.bundle().read_bytes()
    with pytest.raises(DeniedError, match=what):
        fetch.fetch([site.has("/2", root("Two"), content)], force=False)
    assert store.bundle().read_bytes() == before


def test_der_and_bundles_are_read_too(site: Site) -> None:
    one, two, other = root("One"), root("Two"), root("Other")
    several = to_pem(other.certificate, two.certificate).replace("\n", "\r\n")
    wanted = [site.has("/1", one, one.der), site.has("/2", two, b"text\r\n" + several.encode())]
    fetch.fetch(wanted, force=False)
    assert kept() == [one.sha256, two.sha256]


@pytest.mark.parametrize("days", [(-30, -1), (1, 30)], ids=["expired", "not yet valid"])
def test_out_of_its_dates_is_refused(site: Site, days: tuple[float, float]) -> None:
    with pytest.raises(DeniedError, match="is valid from"):
        fetch.fetch([site.has("/1", root("One", days=days))], force=False)


@pytest.mark.usefixtures("site")
def test_a_server_that_this_machine_does_not_trust(tmp_path: Path, staging: Authority) -> None:
    other = Site(tmp_path / "other", staging)
    with other.listener, pytest.raises(UnreachableError, match="certificate verify failed"):
        fetch.fetch([other.has("/1", root("One"))], force=False)


def test_a_redirect_is_followed_and_a_loop_is_not(site: Site) -> None:
    one = site.has("/1", root("One"))

    def redirect(connection: socket.socket) -> None:
        connection.recv(65536)
        answer = f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n"
        connection.sendall(f"{answer}Connection: close\r\n\r\n".encode())

    with tls.Listener(redirect) as elsewhere:
        here = f"http://127.0.0.1:{elsewhere.port}/"
        target = here
        with pytest.raises(DeniedError, match="redirect"):
            fetch.fetch([Wanted(here, one.sha256)], force=False)
        target = one.url
        fetch.fetch([Wanted(here, one.sha256)], force=False)
    assert kept() == [one.sha256]


def test_through_a_proxy(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    one = root("One")
    site.has("/1", one)
    with tls.Listener(tls.connect_proxy(site.listener.port)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        fetch.fetch([Wanted("https://ca.test/1", one.sha256)], force=False)
        assert proxy.connections == 1
    assert kept() == [one.sha256]


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://127.0.0.1:1/", UnreachableError),
        ("https://no-such-host.invalid/", UnreachableError),
        ("ftp://ca.test/root.pem", ConfigurationError),
        ("root.pem", ConfigurationError),
        ("https://ca.test:port/", ConfigurationError),
    ],
)
def test_urls_that_lead_nowhere(url: str, kind: type[AgtoolError]) -> None:
    with pytest.raises(kind):
        fetch.fetch([Wanted(url, "0" * 64)], force=False)


def test_a_proxy_that_httpx_cannot_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "gopher://127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="proxy"):
        fetch.fetch([Wanted("https://ca.test/", "0" * 64)], force=False)


@pytest.mark.usefixtures("site")
def test_let_s_encrypt_s_pins_guard_against_whoever_answers(
    tmp_path: Path, public: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if that has a certificate for the name which this machine trusts."""
    context = tls.tls_context(tmp_path / "impostor", public.intermediate.leaf("letsencrypt.org"))
    forged = {
        want.url.removeprefix("https://letsencrypt.org"): root("Impostor").pem.encode()
        for want in fetch.LETS_ENCRYPT
    }
    with ExitStack() as stack:
        impostor = stack.enter_context(tls.Listener(tls.files(context, forged)))
        proxy = stack.enter_context(tls.Listener(tls.connect_proxy(impostor.port)))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(DeniedError, match=r"root-x1\.pem does not serve the certificate"):
            fetch.fetch(fetch.LETS_ENCRYPT, force=False)
        assert proxy.connections == len(fetch.LETS_ENCRYPT)
    with pytest.raises(store.NotFetched):
        store.roots()


# -- the file ---------------------------------------------------------------------------------


def test_a_damaged_file_is_noticed_and_replaced(site: Site) -> None:
    wanted = [site.has("/1", root("One"))]
    fetch.fetch(wanted, force=False)
    text = store.bundle().read_text()
    damaged = {
        "another certificate": text.replace(text[text.index("MII") :][:64], "A" * 64),
        "one more certificate": text + root("Two").pem,
        "cut off": text[: len(text) // 2],
        "empty": "",
        "not text": None,
    }
    for what, content in damaged.items():
        if content is None:
            store.bundle().write_bytes(b"\xff\xfe")
        else:
            store.bundle().write_text(content)
        with pytest.raises(ConfigurationError) as caught:
            store.roots()
        assert "fetch --force" in caught.value.hint, what
        done = fetch.fetch(wanted, force=False)
        assert [warning.code for warning in done.warnings] == ["configuration"], what
        assert store.bundle().read_text() == text, what


@contextmanager
def no_room() -> Iterator[None]:
    """Let no file of ours grow beyond a few bytes: what a full disk does, in a process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_without_room_leaves_the_old_file(site: Site) -> None:
    fetch.fetch([site.has("/1", root("One"))], force=False)
    before = store.bundle().read_bytes()
    with no_room(), pytest.raises(ConfigurationError, match="cannot write"):
        fetch.fetch([site.has("/2", root("Two"))], force=False)
    assert store.bundle().read_bytes() == before
    assert {path.name for path in store.folder().iterdir()} == {"roots.pem", "no-certificates"}


def test_a_folder_that_cannot_be_made(site: Site, home: Path) -> None:
    home.write_text("a file")
    with pytest.raises(ConfigurationError, match="cannot write"):
        fetch.fetch([site.has("/1", root("One"))], force=False)
