"""What the file of --custom changes, and what it may not."""

from dataclasses import replace
from textwrap import dedent

import pytest

from agtool.core.errors import UsageError
from agtool.core.kube.errors import RejectedError
from agtool.debug.model import Request
from agtool.debug.pod.custom import customized, parse_custom, placed
from agtool.debug.pod.manifest import debug_pod
from agtool.debug.pod.security import ways

REQUEST = Request(name="debug-x", namespace="shop", image="alpine", lifetime=60)


def merged(base: dict[str, object], text: str) -> dict[str, object]:
    return customized(base, replace(REQUEST, custom=parse_custom(dedent(text), "c.yaml")))


def test_a_container_is_merged_as_kubectl_patch_does_it() -> None:
    base = {
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "volumeMounts": [{"name": "pause", "mountPath": "/.agtool"}],
        "securityContext": {"runAsUser": 5, "capabilities": {"drop": ["ALL"]}},
        "tty": True,
    }
    text = """
        env:
          - {name: B, value: "3"}
          - {name: C, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
          - {name: A, $patch: delete}
        volumeMounts: [{name: data, mountPath: /data}]
        securityContext: {capabilities: {add: [SYS_TIME], drop: []}}
        tty: null
        resources: {limits: {cpu: 1}}
    """
    assert merged(base, text) == {
        "env": [
            {"name": "B", "value": "3"},
            {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        ],
        "volumeMounts": [
            {"name": "pause", "mountPath": "/.agtool"},
            {"name": "data", "mountPath": "/data"},
        ],
        "securityContext": {"runAsUser": 5, "capabilities": {"drop": [], "add": ["SYS_TIME"]}},
        "resources": {"limits": {"cpu": 1}},
    }
    assert merged({"env": [{"name": "A"}]}, "env: [{$patch: replace}, {name: B}]") == {
        "env": [{"name": "B"}]
    }
    assert merged({"resources": {"limits": 1}}, "resources: {$patch: replace, claims: []}") == {
        "resources": {"claims": []}
    }
    assert merged({"resources": {}, "tty": True}, "resources: {$patch: delete}") == {"tty": True}
    text = "env: [&a {name: A, value: b}, {<<: *a, name: B}]"
    assert merged({}, text) == {"env": [{"name": "A", "value": "b"}, {"name": "B", "value": "b"}]}
    # JSON is YAML.
    assert merged({}, '{"securityContext": {"runAsUser": 0}}') == {
        "securityContext": {"runAsUser": 0}
    }


def test_a_pod() -> None:
    text = """
        metadata:
          annotations: {team: red}
        spec:
          priorityClassName: high
          volumes: [{name: data, emptyDir: {}}]
          containers:
            - name: debug
              volumeMounts: [{name: data, mountPath: /data}]
            - {name: proxy, image: envoy}
    """
    request = replace(REQUEST, custom=parse_custom(dedent(text), "c.yaml"))
    made = debug_pod(request, ways(request)[0])
    assert made["metadata"]["annotations"]["team"] == "red"
    spec = made["spec"]
    assert spec["priorityClassName"] == "high"
    assert [volume["name"] for volume in spec["volumes"]] == ["agtool-pause", "data"]
    ours, theirs = spec["containers"]
    assert [one["mountPath"] for one in ours["volumeMounts"]] == ["/.agtool", "/data"]
    assert ours["image"] == "alpine"
    assert theirs == {"name": "proxy", "image": "envoy"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not one container"),
        ("[]", "not one container"),
        ("a: 1\n---\nb: 2", "not one container"),
        ("a: [\n", "line 2: it is no YAML"),
        ("a: 1\nb: 2\na: 3", "line 3: 'a' stands here a second time"),
        ("env:\n  - name: A\n    name: B", "line 3: 'name' stands here a second time"),
        ("tty: true\nimage: x", "line 2: agtool sets image itself"),
        ("name: x", "line 1: agtool sets name itself"),
        ("command: [x]", "agtool sets command itself"),
        ("lifecycle: {}", "agtool sets lifecycle itself"),
        ("spec:\n  restartPolicy: Always", "line 2: agtool sets spec.restartPolicy itself"),
        ("spec:\n  activeDeadlineSeconds: 1", "agtool sets spec.activeDeadlineSeconds itself"),
        ("spec: {containers: [{image: x}]}", "a container has no name"),
        ("spec: {containers: [{name: debug, args: [x]}]}", "agtool sets spec.containers.args"),
        ("spec: {}\nstatus: {}", "line 2: a pod has no field 'status'"),
        ("kind: Job\nspec: {}", "line 1: it is no Pod"),
        ("metadata:\n  name: x\nspec: {}", "line 2: agtool sets metadata.name itself"),
        ("metadata: {labels: {agtool/debug: kept}}", "agtool sets metadata.labels.agtool/debug"),
        ("spec: 7", "metadata and spec are mappings"),
        ("env:\n- {name: A, value: b}\n- FOO=bar", "line 3: an item of env is a mapping"),
        ("spec: {containers: [{name: debug, env: [null]}]}", "an item of env is a mapping"),
        ("spec: {volumes: [data]}", "line 1: an item of volumes is a mapping"),
        ("spec:\n  containers: [x]", "line 2: an item of containers is a mapping"),
        ("tty: true\nsecurityContext: {1: 2}", "line 2: a field has a name, which is a text"),
        ("spec: {}\n1: 2", "line 2: a field has a name, which is a text"),
        ("true: 2", "a field has a name, which is a text"),
        ("? [a]\n: b", "a field has a name, which is a text"),
        ("metadata: {labels: {1: x}}", "a field has a name, which is a text"),
        ("a: &a [*a]", "is nested too deeply"),
        ("a: &a {b: *a}", "is nested too deeply"),
        (f"a: {'[' * 1500}{']' * 1500}", "is nested too deeply"),
        ("spec:\n  containers: {name: debug, tty: true}", "line 2: spec.containers is a list"),
        ("spec: {containers: 7}", "spec.containers is a list"),
        ("tty: true\na: !!binary aGk=", "line 2: Kubernetes knows no tag:yaml.org,2002:binary"),
        ("a: !!set {b}", "Kubernetes knows no tag"),
        ("spec: {}\n<<: {a: 1}", "line 2: a pod has no field 'a'"),
    ],
)
def test_what_is_refused(text: str, told: str) -> None:
    with pytest.raises(UsageError, match="--custom c") as raised:
        parse_custom(text, "c.yaml")
    assert told in raised.value.message
    assert raised.value.hint


@pytest.mark.parametrize(
    ("text", "path", "told"),
    [
        ("tty: true\nresorces: {}", "spec.containers[0].resorces", "line 2: "),
        ("tty: true\nresorces: {}", "spec.ephemeralContainers[3].resorces", "line 2: "),
        ("env:\n- {name: A}\n- {name: B, vlaue: x}", "spec.containers[0].env[7].vlaue", "line 3: "),
        ("spec:\n  hostnetwork: true", "spec.hostnetwork", "line 2: "),
        (
            "spec:\n containers:\n - name: debug\n   tyt: true",
            "spec.containers[0].tyt",
            "line 4: ",
        ),
    ],
)
def test_the_place_of_an_unknown_field(text: str, path: str, told: str) -> None:
    error = RejectedError(f'strict decoding error: unknown field "{path}"')
    found = placed(error, parse_custom(text, "c.yaml"))
    assert f"--custom c.yaml {told}the API server knows no field" in found.message
    assert path in found.message


def test_other_refusals_stay_as_they_are() -> None:
    error = RejectedError("invalid")
    assert placed(error, parse_custom("tty: true", "c.yaml")) is error
    assert placed(error, None) is error
