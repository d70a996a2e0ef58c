"""No hint names an option that would be refused, or speaks of one that nobody has given."""

import re
from dataclasses import replace
from typing import Any

import pytest

from agtool.core.errors import DeniedError, UsageError
from agtool.core.kube.ended import Ended
from agtool.debug.model import Request
from agtool.debug.modes import Given, check_modes, check_profile
from agtool.debug.pod.explain import start_state
from agtool.debug.pod.look import described
from agtool.debug.pod.refusal import explained
from agtool.debug.pod.target import ContainerPlan, Way, add_container
from agtool.debug.session.remote import failure
from tests.unit.debug.test_explain import PULL, event, pod, terminated, unschedulable
from tests.unit.debug.test_look import PTRACE, SEEN

INVOCATIONS = [
    *("", "--image", "--tools", "--root", "--user", "--custom", "--profile=restricted"),
    *("--like", "--like --tools", "--like --user", "--like --custom"),
    *("--copy --target", "--copy --target --image", "--copy --target --root"),
    *("--node", "--node --profile=restricted", "--node --custom"),
    *("--target", "--target --tools", "--target --user", "--target --root", "--target --image"),
    *("--target --cap-add --user", "--target --profile=restricted", "--target --profile=netadmin"),
    *("--target --profile=general --user", "--target --custom"),
    *("--cp", "--cp --user", "--cp --root", "--cp --profile=restricted"),
]


def waiting(reason: str, message: str) -> dict[str, Any]:
    return pod(waiting={"reason": reason, "message": message})


SITUATIONS = {
    "private image": waiting("ErrImagePull", f"{PULL}pull access denied"),
    "no such image": waiting("ErrImagePull", f"{PULL}not found"),
    "platform": waiting("ErrImagePull", f"{PULL}no match for platform in manifest"),
    "never pulled": waiting("ErrImageNeverPull", "image is not present with pull policy of Never"),
    "architecture": waiting("RunContainerError", "exec /pause: exec format error"),
    "root": waiting("CreateContainerConfigError", "image will run as root"),
    "user": waiting("CreateContainerConfigError", "runAsNonRoot and image has non-numeric user"),
    "secret": waiting("CreateContainerConfigError", 'secret "s" not found'),
    "configmap": waiting("CreateContainerConfigError", 'configmap "c" not found'),
    "memory": terminated(exitCode=137, reason="OOMKilled"),
    "taint": unschedulable("1 node(s) had untolerated taint {a: b}"),
    "room": unschedulable("1 Insufficient cpu, 1 Too many pods"),
    "selector": unschedulable("1 node(s) didn't match Pod's node affinity/selector"),
    "pod affinity": unschedulable("1 node(s) didn't match pod anti-affinity rules"),
    "volume": unschedulable("1 node(s) had volume node affinity conflict"),
    "claim": unschedulable('persistentvolumeclaim "c" not found'),
}
SIGHTS = {
    "another user": replace(SEEN, readable=False, our_user=77),
    "root without ptrace": replace(SEEN, readable=False, our_user=0),
    "same user": replace(SEEN, readable=False),
    "both root": replace(SEEN, readable=False, our_user=0, their_user=0),
    "security module": replace(SEEN, readable=False, capabilities=PTRACE),
}


def given_of(words: str) -> Given:
    named = [word.partition("=") for word in words.split()]
    return Given(
        frozenset(name for name, _, _ in named),
        next((value for name, _, value in named if name == "--profile"), None),
    )


def check_hint(hint: str, given: Given) -> None:
    """Its options are accepted beside those that are given; its commands, by themselves."""
    for command in re.findall(r"agtool debug( -.*)", hint):
        check_modes(set(re.findall(r"--[a-z-]+", command)), command=False)
    hint = re.sub(r"agtool debug -.*", "", hint)
    given_up = set(re.findall(r"(?:in the place of|eave out) (--[a-z-]+)", hint))
    assert given_up <= given.options, hint
    spoken_of = re.findall(r"(?:workload|file|place|eave out|volumes) (?:of )?(--[a-z-]+)", hint)
    assert set(spoken_of) <= given.options, hint
    for option in set(re.findall(r"--[a-z-]+", hint)) - given_up:
        # Some hints have two ways, of which only one is in the place of something.
        left = [given.options, given.options - given_up]
        assert any(accepted(options | {option}, given.profile) for options in left), hint


def accepted(options: frozenset[str], profile: str | None) -> bool:
    try:
        check_modes(options, command=False)
        check_profile(
            profile if "--profile" in options else None,
            root="--root" in options,
            capabilities="--cap-add" in options,
        )
    except UsageError:
        return False
    return True


@pytest.mark.parametrize("words", INVOCATIONS)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_where_a_container_does_not_start(words: str, situation: str) -> None:
    given = given_of(words)
    found, container = SITUATIONS[situation], "debug"
    check_modes(given.options, command=False)
    state = start_state(found, [event("Failed", "")], container, given)
    assert state.problem
    check_hint(state.hint, given)


@pytest.mark.parametrize("words", [one for one in INVOCATIONS if one.startswith("--target")])
@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("wants_root", [True, False])
def test_where_the_files_of_the_target_cannot_be_read(
    words: str, sight: str, wants_root: bool
) -> None:
    given = given_of(words)
    for line in described(SIGHTS[sight], wants_root=wants_root, given=given):
        check_hint(line, given)


@pytest.mark.parametrize(
    "words",
    [one for one in INVOCATIONS if "--cp" not in one] + ["--attach", "--attach --shell", "--shell"],
)
@pytest.mark.parametrize("command", [("strace", "ls"), ()])
@pytest.mark.parametrize("message", ["not found", 'exec: "sh": executable file not found'])
def test_where_a_program_is_not_there(words: str, command: tuple[str, ...], message: str) -> None:
    given = given_of(words)
    if command and "--shell" in given:
        return  # refused
    shell = "/bin/fish" if "--shell" in given else None
    ended = Ended(127, message)
    error = failure(ended, command, shell, "an image", given)
    assert error is not None
    assert error.hint
    assert not (command and "--shell" in error.hint)
    check_hint(error.hint, given)


def test_another_way_to_have_a_program() -> None:
    def told(words: str) -> str:
        error = failure(Ended(127, "not found"), ["strace"], None, "an image", given_of(words))
        return error.hint if error else ""

    assert told("") == (
        "Choose an --image that has it, or add static programs with --tools busybox:musl."
    )
    assert told("--target --tools") == "Add static programs with --tools busybox:musl."
    assert told("--target --user") == "Choose an --image that has it."
    assert "A new one can have it: agtool debug --tools" in told("--attach")


@pytest.mark.parametrize(
    ("account", "told"),
    [(None, "Create it."), ("shop", "Check --serviceaccount")],
)
def test_a_service_account_that_is_not_there(account: str | None, told: str) -> None:
    asked = Request(name="debug-x", namespace="a", image="i", lifetime=60, service_account=account)
    refusal = DeniedError("error looking up service account a/b: serviceaccount b not found")
    assert explained(refusal, asked).hint.startswith(told)


@pytest.mark.parametrize(
    ("words", "situation", "told"),
    [
        ("", "private image", "--serviceaccount"),
        ("--target", "private image", "agtool debug --copy --target pod/"),
        ("--target --tools", "private image", "another image with --tools"),
        ("--cp", "private image", "another image with --image"),
        ("--target", "platform", "an image that is built for it with --image"),
        ("--node --tools", "platform", "with --image or --tools"),
        ("--like", "platform", "--node-selector"),
        ("--root", "root", "--user 1000 in the place of --root"),
        ("", "root", "--user 1000, or --root"),
        ("--target --tools", "root", "--user 1000 in the place of --tools"),
        ("--node --profile=restricted", "root", "Leave out --profile"),
        ("--like", "secret", "leave out --like"),
        ("--copy --target", "secret", "The pod that is copied refers to it"),
        ("", "secret", "Create it."),
        ("--custom", "secret", "--custom"),
        ("--like", "volume", "the workload of --like"),
        ("--copy --target", "claim", "the pod that is copied"),
    ],
)
def test_the_way_out(words: str, situation: str, told: str) -> None:
    assert told in start_state(SITUATIONS[situation], [], "debug", given_of(words)).hint


def test_a_conflict_of_volumes_is_not_one_of_selectors() -> None:
    for situation in ("volume", "pod affinity"):
        assert "node with" not in start_state(SITUATIONS[situation], []).hint


def test_what_is_named_for_a_target() -> None:
    def told(sight: str, words: str) -> str:
        return described(SIGHTS[sight], wants_root=False, given=given_of(words))[-1]

    assert "--user 1234:5; or --root, if" in told("another user", "--target")
    tools = told("another user", "--target --tools")
    assert "--user 1234:5 in the place of --tools; or --root in the place of --tools" in tools
    assert "--root in the place of --user" in told("another user", "--target --user")
    assert "--user 1234:5 in the place of --root; or --profile general" in told(
        "root without ptrace", "--target --root"
    )


@pytest.mark.parametrize("words", [one for one in INVOCATIONS if one.startswith(("--ta", "--cp"))])
def test_where_a_policy_forbids_the_container(words: str) -> None:
    given = given_of(words)
    plan = ContainerPlan("web", "", False, [Way({}, "")], [])
    pod = {"metadata": {"name": "web-0", "namespace": "shop"}}
    with pytest.raises(DeniedError) as caught:
        add_container(Refusing(), pod, plan, None, given)  # type: ignore[arg-type]
    hint = caught.value.hint
    named = set(re.findall(r"--[a-z-]+", hint))
    assert named <= given.options or named == {"--like"}, hint
    check_modes(given.options - named or {"--like"}, command=False)


class Refusing:
    """A session with a namespace of which a policy refuses all."""

    def patch(self, *_: Any, **__: Any) -> None:
        raise DeniedError('pods "web-0" is forbidden: violates PodSecurity "restricted:latest": x')
