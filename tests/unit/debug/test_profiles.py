"""The profiles of kubectl debug, in a new pod and on a node."""

from dataclasses import replace
from typing import Any

import pytest

from agtool.debug.model import Like, Request
from agtool.debug.pod.manifest import debug_pod
from agtool.debug.pod.security import NOBODY, Security, ways

REQUEST = Request(name="debug-x", namespace="shop", image="alpine", lifetime=60)


def only(**more: Any) -> Security:
    (security,) = ways(replace(REQUEST, **more))
    return security


@pytest.mark.parametrize(
    ("profile", "context", "level"),
    [
        ("general", {"capabilities": {"add": ["SYS_PTRACE"]}}, "privileged"),
        ("baseline", {}, "baseline"),
        ("netadmin", {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}}, "privileged"),
        ("sysadmin", {"privileged": True}, "privileged"),
        (
            "restricted",
            {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "runAsNonRoot": True,
                "runAsUser": NOBODY,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "restricted",
        ),
    ],
)
def test_a_profile_is_kubectls(profile: str, context: dict[str, Any], level: str) -> None:
    security = only(profile=profile)
    assert (security.container, security.level) == (context, level)
    spec = debug_pod(replace(REQUEST, profile=profile), security)["spec"]
    assert "hostNetwork" not in spec
    assert spec["containers"][0]["securityContext"] == context


@pytest.mark.parametrize(
    ("profile", "host", "files", "user"),
    [
        ("general", True, True, 0),
        ("baseline", False, False, 0),
        ("restricted", False, False, NOBODY),
        ("netadmin", True, False, 0),
        ("sysadmin", True, True, 0),
        (None, True, True, 0),
    ],
)
def test_a_profile_on_a_node(profile: str | None, host: bool, files: bool, user: int) -> None:
    security = only(profile=profile, node="worker-1")
    spec = debug_pod(replace(REQUEST, profile=profile, node="worker-1"), security)["spec"]
    assert (spec.get("hostPID", False), spec.get("hostNetwork", False)) == (host, host)
    assert ("host" in [volume["name"] for volume in spec["volumes"]]) is files
    assert spec["nodeName"] == "worker-1"
    assert security.container["runAsUser"] == user


def test_capabilities() -> None:
    assert only(capabilities=["SYS_TIME"]).container == {"capabilities": {"add": ["SYS_TIME"]}}
    assert only(capabilities=["CHOWN"]).level == "baseline"
    both = only(profile="netadmin", capabilities=["SYS_TIME", "NET_RAW"]).container
    assert both["capabilities"]["add"] == ["NET_ADMIN", "NET_RAW", "SYS_TIME"]
    some = only(profile="restricted", capabilities=["NET_BIND_SERVICE"])
    assert some.container["capabilities"] == {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}
    assert some.level == "restricted"


def test_who_has_no_use_of_them_is_told() -> None:
    assert "add --root" in only(profile="netadmin", user=7).meaning
    assert "add --root" not in only(profile="netadmin", root=True).meaning
    assert "add --root" not in only(profile="baseline", user=7).meaning
    like = Like(labels={}, container={}, pod={}, user=5)
    assert "add --root" in only(profile="general", like=like).meaning
    rooted = only(profile="general", like=like, root=True).container
    assert (rooted["runAsUser"], rooted["runAsNonRoot"]) == (0, False)


def test_a_host_network() -> None:
    request = replace(REQUEST, host_network=True)
    (security, *_) = ways(request)
    assert (security.level, "network of its node" in security.meaning) == ("privileged", True)
    spec = debug_pod(request, security)["spec"]
    assert (spec["hostNetwork"], spec["dnsPolicy"]) == (True, "ClusterFirstWithHostNet")
