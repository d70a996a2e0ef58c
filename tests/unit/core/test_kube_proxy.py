"""The proxy before an API server, beside what kubectl makes of the same settings."""

import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.client import Configuration

from agtool.core.errors import ConfigurationError
from agtool.core.kube.proxy import Proxy, proxy_of, read_proxy, settle_proxy


@pytest.mark.parametrize(
    ("text", "url", "login"),
    [
        ("http://proxy:3128", "http://proxy:3128", None),
        ("proxy:3128", "http://proxy:3128", None),
        ("10.0.0.1", "http://10.0.0.1", None),
        ("https://[::1]:3128/", "https://[::1]:3128", None),
        ("http://jane:p%40ss%3A@proxy:3128", "http://proxy:3128", b"jane:p@ss:"),
        ("http://jane@proxy", "http://proxy", b"jane:"),
        ("jane:J%C3%BCrgen@proxy:1", "http://proxy:1", "jane:Jürgen".encode()),
    ],
)
def test_proxies(text: str, url: str, login: bytes | None) -> None:
    found, headers = read_proxy(text)
    assert found == url
    if login is None:
        assert headers is None
    else:
        assert headers == {"Proxy-Authorization": f"Basic {base64.b64encode(login).decode()}"}


def test_socks_has_its_log_in_in_its_url_and_resolves_names() -> None:
    for scheme in ("socks5", "socks5h"):
        assert read_proxy(f"{scheme}://a:b@proxy:1080") == ("socks5h://a:b@proxy:1080", None)


@pytest.mark.parametrize(
    "text",
    [
        "ftp://a:s3cret@proxy",
        "http://a:s3#cret@proxy:1",
        "http://a:s3cret@",
        "://s3cret",
        "http://",
    ],
)
def test_what_is_no_proxy_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not valid") as raised:
        read_proxy(text)
    assert "s3" not in raised.value.message + raised.value.hint
    assert raised.value.__context__ is None  # nor by `agtool --debug`


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ConfigurationError):
        read_proxy(text)


@pytest.fixture
def configuration(monkeypatch: pytest.MonkeyPatch) -> Configuration:
    """Give a client's configuration, with a proxy of the environment."""
    monkeypatch.setenv("HTTPS_PROXY", "http://a:b@environment:1")
    monkeypatch.setenv("NO_PROXY", ".internal")
    made = Configuration()
    made.host = "https://api.example:6443"
    return made


def test_of_the_environment(configuration: Configuration) -> None:
    settle_proxy(configuration, None)
    assert configuration.proxy == "http://environment:1"
    assert configuration.proxy_headers == {"Proxy-Authorization": "Basic YTpi"}
    assert configuration.no_proxy == ".internal"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.0.1"])
def test_not_for_this_machine(configuration: Configuration, host: str) -> None:
    configuration.host = f"https://{host}:6443"
    settle_proxy(configuration, None)
    assert configuration.proxy is None


def test_the_kubeconfigs_own_is_always_used(configuration: Configuration) -> None:
    configuration.host = "https://127.0.0.1:6443"
    configuration.proxy = "http://own:1"
    settle_proxy(configuration, "http://own:1")
    assert (configuration.proxy, configuration.no_proxy) == ("http://own:1", None)


def test_for_a_connection_of_ones_own() -> None:
    assert proxy_of(None, None, None) is None
    headers = {"Proxy-Authorization": "Basic s3cret"}
    found = proxy_of("http://[::1]:3128", headers, None)
    assert found == Proxy("http", "::1", 3128, headers)
    assert "s3cret" not in repr(found)
    found = proxy_of("socks5h://jane:p%40ss@bastion", None, None)
    assert found == Proxy("socks5h", "bastion", 1080, {}, "jane", "p@ss")
    assert "p@ss" not in repr(found)
    assert proxy_of("https://proxy", None, None) == Proxy("https", "proxy", 443)
