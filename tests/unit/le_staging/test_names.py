"""Which name stands for a host; tests/integration/le_staging compares with the real curl."""

import ipaddress
from datetime import datetime, timezone

from hypothesis import assume, given
from hypothesis import strategies as st

from agtool.le_staging.certificate import Certificate
from agtool.le_staging.verify.names import matching_name

NEVER = datetime(2000, 1, 1, tzinfo=timezone.utc)


def certificate(
    *names: str, addresses: tuple[str, ...] = (), common: tuple[str, ...] = ()
) -> Certificate:
    """A certificate with these names and nothing else."""
    facts = (
        "subject",
        "issuer",
        common,
        names,
        addresses,
        NEVER,
        NEVER,
        "",
        "",
        (),
        "",
        False,
        b"",
    )
    return Certificate(*facts)


labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True)
hosts = st.lists(labels, min_size=2, max_size=5).map(".".join).filter(lambda h: not h[-1].isdigit())


@given(hosts, st.sampled_from([str.upper, str.title, str]))
def test_a_name_stands_for_itself_in_any_case(host: str, case: object) -> None:
    name = case(host)  # type: ignore[operator]
    assert matching_name(host, certificate("other.invalid", name)) == name
    assert matching_name(f"{host}.", certificate(name)) == name


@given(hosts, hosts)
def test_and_for_no_other(host: str, other: str) -> None:
    assume(host != other)
    assert matching_name(host, certificate(other)) is None


@given(hosts, labels)
def test_a_wildcard_stands_for_one_label(parent: str, label: str) -> None:
    wildcard = certificate(f"*.{parent}")
    assert matching_name(f"{label}.{parent}", wildcard) == f"*.{parent}"
    assert matching_name(parent, wildcard) is None
    assert matching_name(f"{label}.{label}.{parent}", wildcard) is None
    assert matching_name(f".{parent}", wildcard) is None


@given(labels, labels)
def test_a_wildcard_for_a_whole_top_level_is_none(label: str, top: str) -> None:
    assert matching_name(f"{label}.{top}", certificate(f"*.{top}")) is None


@given(st.from_regex(r"[a-z]{0,3}\*[a-z]{0,3}(\.[a-z*]{1,4}){2,3}", fullmatch=True), hosts)
def test_a_star_elsewhere_is_no_wildcard(pattern: str, host: str) -> None:
    assume(not pattern.startswith("*."))
    assert matching_name(host, certificate(pattern)) is None


@given(st.ip_addresses())
def test_addresses(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    text, exploded = str(address), address.exploded
    assert matching_name(exploded, certificate(addresses=(text,))) == text
    assert matching_name(text, certificate(text)) is None  # as a name it does not count
    assert matching_name(text, certificate(addresses=(str(address.__class__(1)),))) in {None, text}
    assert matching_name(text, certificate(addresses=(f"{text}/24",))) is None


def test_a_wildcard_stands_for_no_address() -> None:
    assert matching_name("192.0.2.7", certificate(common=("*.0.2.7",))) is None


@given(hosts, hosts)
def test_the_common_name_counts_only_without_others(host: str, other: str) -> None:
    assume(host != other)
    assert matching_name(host, certificate(common=(other, host))) == host
    assert matching_name(host, certificate(common=(host, other))) is None
    assert matching_name(host, certificate(other, common=(host,))) is None
    assert matching_name(host, certificate(addresses=("192.0.2.7",), common=(host,))) is None
    assert matching_name(host, certificate()) is None
