"""How the values of options are read, and which are refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtool.core.errors import AgtoolError, UsageError
from agtool.debug.arguments import (
    check_pod_index,
    parse_annotations,
    parse_attach,
    parse_capabilities,
    parse_command,
    parse_copy,
    parse_env,
    parse_forwards,
    parse_hostname,
    parse_labels,
    parse_lifetime,
    parse_name,
    parse_quantity,
    parse_text,
    parse_tolerations,
    parse_user,
    parse_workload,
)
from agtool.debug.model import Copy, Workload


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("deployment/web", "deployment", "web"),
        ("deploy/web", "deployment", "web"),
        ("sts/web", "statefulset", "web"),
        ("Pods/web-0", "pod", "web-0"),
        ("web-0", "pod", "web-0"),
    ],
)
def test_workloads(text: str, kind: str, name: str) -> None:
    assert parse_workload("--like", text) == (kind, name)


@pytest.mark.parametrize("text", ["service/web", "deployment/", "", "a/b/c"])
def test_no_workloads(text: str) -> None:
    with pytest.raises(UsageError):
        parse_workload("--like", text)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (None, (None, None)),
        ("0", (0, None)),
        ("1000:20", (1000, 20)),
        ("2147483647", (2**31 - 1, None)),
    ],
)
def test_users(text: str | None, ids: tuple[int | None, int | None]) -> None:
    assert parse_user(text) == ids


@pytest.mark.parametrize("text", ["", "root", "1:", ":1", "-1", "1:2:3", "2147483648", "\u0661"])
def test_what_is_no_user(text: str) -> None:
    with pytest.raises(UsageError, match="--user"):
        parse_user(text)


def test_capabilities() -> None:
    assert parse_capabilities(["NET_ADMIN", "cap_sys_ptrace", "all"]) == [
        "NET_ADMIN",
        "SYS_PTRACE",
        "ALL",
    ]
    with pytest.raises(UsageError, match="'NET_ADMN' is not a capability") as raised:
        parse_capabilities(["NET_ADMN"])
    assert raised.value.hint == "Did you mean NET_ADMIN?"


@pytest.mark.parametrize("text", ["", "Web", "web.example", "-web", "x" * 64])
def test_what_is_no_hostname(text: str) -> None:
    assert parse_hostname("web-0") == "web-0"
    with pytest.raises(UsageError, match="--hostname"):
        parse_hostname(text)


def test_an_index_of_what_is_one_pod() -> None:
    check_pod_index(1, Workload("deployment", "web"))
    check_pod_index(None, Workload("pod", "web"))
    with pytest.raises(UsageError, match="--pod-index has no effect with --target pod/web"):
        check_pod_index(1, Workload("pod", "web"))


@pytest.mark.parametrize("seconds", [0.5, 7 * 86400 + 1])
def test_lifetimes_out_of_bounds(seconds: float) -> None:
    with pytest.raises(UsageError):
        parse_lifetime(seconds)


@pytest.mark.parametrize(
    ("text", "toleration"),
    [
        ("dedicated", {"key": "dedicated", "operator": "Exists"}),
        ("a=b", {"key": "a", "operator": "Equal", "value": "b"}),
        ("a=b:NoExecute", {"key": "a", "operator": "Equal", "value": "b", "effect": "NoExecute"}),
        ("x/a:NoSchedule", {"key": "x/a", "operator": "Exists", "effect": "NoSchedule"}),
        ("all", {"operator": "Exists"}),
        (":NoExecute", {"operator": "Exists", "effect": "NoExecute"}),
    ],
)
def test_tolerations(text: str, toleration: dict[str, str]) -> None:
    (found,) = parse_tolerations([text])
    assert found == toleration


@pytest.mark.parametrize("text", ["", "=b", "a b", "a:Never", "-x"])
def test_bad_tolerations(text: str) -> None:
    with pytest.raises(UsageError):
        parse_tolerations([text])


@pytest.mark.parametrize("text", ["", "a", "=b", "a=b c", "a=" + "x" * 64, "agtool/debug=kept"])
def test_bad_labels(text: str) -> None:
    with pytest.raises(UsageError):
        parse_labels("--label", [text])


@pytest.mark.parametrize("key", ["app.kubernetes.io/managed-by", "agtool/debug", "agtool/x"])
def test_labels_that_agtool_sets_are_reserved(key: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_labels("--label", [f"{key}=x"])
    assert key in raised.value.message
    assert "app.kubernetes.io/managed-by" in raised.value.hint
    assert "agtool/" in raised.value.hint
    # A node may have them.
    assert parse_labels("--node-selector", [f"{key}=x"]) == {key: "x"}


def test_a_variable_that_agtool_sets_is_reserved() -> None:
    with pytest.raises(UsageError, match="AGTOOL_SESSION"):
        parse_env(["AGTOOL_SESSION=x"])


def test_a_variable_without_a_value() -> None:
    with pytest.raises(UsageError) as raised:
        parse_env(["COLOUR"])
    assert "`NAME=` is an empty one" in raised.value.hint


def test_pods_to_attach_to() -> None:
    assert [parse_attach(text) for text in (None, "debug-x", "pod/debug-x", "pods/debug-x")] == [
        None,
        *["debug-x"] * 3,
    ]
    for text, hint in (
        ("shop/debug-x", "-n shop --attach debug-x"),  # as --list -A -o name has it
        ("deployment/web", "agtool debug --list"),
    ):
        with pytest.raises(UsageError) as raised:
            parse_attach(text)
        assert hint in raised.value.hint
    for text in ("", "pod/", "pod/Debug"):
        with pytest.raises(UsageError, match="is not a valid name"):
            parse_attach(text)


@given(st.text())
def test_a_wrong_variable_shows_no_value(value: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_env([f"1 BAD={value}"])
    assert raised.value.message == "--env '1 BAD' is not of the form NAME=VALUE"


@pytest.mark.parametrize("name", ["web-0", "a.b", "7", "x" * 253])
def test_names_of_objects(name: str) -> None:
    assert parse_name("--node", name) == name


@pytest.mark.parametrize("name", ["", "a/b", "../x", "a?watch=1", "A", "-a", "a b", "x" * 254])
def test_what_would_lead_to_another_path(name: str) -> None:
    with pytest.raises(UsageError):
        parse_name("--attach", name)


def test_what_is_not_utf_8_is_refused() -> None:
    with pytest.raises(UsageError, match="COMMAND is not valid UTF-8"):
        parse_text("COMMAND", "\udcff")
    with pytest.raises(UsageError, match="--env A is not valid UTF-8"):
        parse_env(["A=\udcff"])


def test_variables() -> None:
    assert parse_env(["A=1=2", "B="]) == {"A": "1=2", "B": ""}
    with pytest.raises(UsageError):
        parse_env(["A"])


def test_two_values_for_one_name() -> None:
    assert parse_env(["A=1", "A=1"]) == {"A": "1"}
    assert parse_labels("--label", ["a=1", "a=1"]) == {"a": "1"}
    with pytest.raises(UsageError, match="--label a has two values"):
        parse_labels("--label", ["a=1", "a=2"])
    with pytest.raises(UsageError) as raised:
        parse_env(["A=secret", "A=other"])
    assert raised.value.message == "--env A has two values"


@given(st.text())
def test_options_are_taken_or_refused(text: str) -> None:
    for parse in (
        lambda: parse_labels("--label", [text]),
        lambda: parse_env([text]),
        lambda: parse_tolerations([text]),
        lambda: parse_quantity("--cpu", text),
        lambda: parse_workload("--like", text),
    ):
        try:
            parse()
        except AgtoolError as error:
            assert isinstance(error, UsageError)  # noqa: PT017


def test_annotations() -> None:
    given = ["team=red", "example.com/why=a = b, c"]
    told = {"team": "red", "example.com/why": "a = b, c"}
    assert parse_annotations(given) == told
    ours = "kubectl.kubernetes.io/default-container"
    for wrong in ("team", "=x", "a b=c", "agtool/made-by=x", f"{ours}=x"):
        with pytest.raises(UsageError, match="--annotation"):
            parse_annotations([wrong])
    with pytest.raises(UsageError, match="two values"):
        parse_annotations(["a=b", "a=c"])


def test_commands_that_name_an_object() -> None:
    for ours in (["ls", "pod/web-0"], ["./pod/x"], ["bin/tool"], [], ["pod/"], ["job"]):
        assert parse_command(ours) == ours
    for theirs in ("pod/web-0", "po/a", "no/n1", "deployments/web"):
        with pytest.raises(UsageError, match="no command"):
            parse_command([theirs, "ls"])


@pytest.mark.parametrize(
    ("words", "copy"),
    [
        (["a", "pod/web:/b"], Copy(Path("a"), "web", "/b", into=True)),
        (["po/web:/b c:d", "a:b"], Copy(Path("a:b"), "web", "/b c:d", into=False)),
        (["pods/w.x:/", "."], Copy(Path(), "w.x", "/", into=False)),
        (["pod/web:/dir/.", "b"], Copy(Path("b"), "web", "/dir/", into=False)),
        (["dir/.", "pod/web://a/./b//"], Copy(Path("dir"), "web", "/a/b/", into=True)),
        (["pod/web:/./a/.b", "b"], Copy(Path("b"), "web", "/a/.b", into=False)),
        (["pod/web://.//", "b"], Copy(Path("b"), "web", "/", into=False)),
    ],
)
def test_files_to_copy(words: list[str], copy: Copy) -> None:
    assert parse_copy(words) == copy


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["a"],
        ["a", "b"],
        ["a", "web:/b"],
        ["pod/a:/b", "pod/a:/c"],
        ["a", "pod/web:b"],
        ["a", "pod/web:/b/../c"],
        ["a", "pod/We_b:/b"],
        ["a", "pod/a/b:/c"],
        ["", "pod/web:/b"],
        ["a", "pod/web:/b", "c"],
    ],
)
def test_what_cannot_be_copied(words: list[str]) -> None:
    with pytest.raises(UsageError):
        parse_copy(words)


def test_ports() -> None:
    assert parse_forwards(["8080:80", ":443", "9000"]) == [(8080, 80), (0, 443), (9000, 9000)]


@pytest.mark.parametrize(
    "text", ["", "x", "80:", "0", "8080:0", "65536", "1:65536", "a:80", "1:2:3", "9" * 5000]
)
def test_what_is_no_port(text: str) -> None:
    with pytest.raises(UsageError):
        parse_forwards([text])


@pytest.mark.parametrize(("text", "port"), [("99999:80", 99999), ("80:0", 0), ("70000", 70000)])
def test_numbers_that_are_no_port(text: str, port: int) -> None:
    with pytest.raises(UsageError, match=f"there is no port {port}"):
        parse_forwards([text])


def test_a_port_that_is_given_twice() -> None:
    with pytest.raises(UsageError, match="8080 is given twice"):
        parse_forwards(["8080:80", "8080:81"])
