"""Pure: what leads out of what does not start, or is not there, by what is on the command line.

No hint names an option that would be refused there, or that nobody has given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agtool.debug.modes import Given


def denied_image(given: Given, pod: str) -> str:
    """Where a registry gives nothing to us.

    Args:
        pod: its name.
    """
    if given.takes("--image-pull-secret"):
        return (
            "Check that the image exists. If it is private, add --image-pull-secret with the name "
            "of a Secret of the registry, or --serviceaccount with a service account that has one."
        )
    hint = (
        "Check that the image exists. The node pulls it with what the pod has for that, which "
        f"cannot be changed: choose another image with {_of_images(given)}."
    )
    if "--target" in given:
        hint += (
            " In a copy of the pod it can be pulled with another Secret: agtool debug --copy "
            f"--target pod/{pod} --image IMAGE --image-pull-secret NAME"
        )
    return hint


def other_architecture(given: Given, what: str) -> str:
    """Where programs are not for the node. `what` is not built for it."""
    if given.takes("--node-selector"):
        way = "another node with --node-selector kubernetes.io/arch=ARCHITECTURE"
    else:
        way = f"an image that is built for it with {_of_images(given)}"
    return f"{what} for another architecture than that of the node. Choose {way}."


def _of_images(given: Given) -> str:
    """The options that say which image it is."""
    names = [name for name in ("--image", "--tools") if given.takes(name)]
    return " or ".join(name for name in names if name == "--image" or name in given)


def missing_program(given: Given) -> str:
    """Where an image has no such program."""
    ways = []
    if given.takes("--image"):
        ways.append("Choose an --image that has it")
    if given.takes("--tools"):
        ways.append("add static programs with --tools busybox:musl")
    if not ways:
        return (
            "The pod cannot be changed. A new one can have it: "
            "agtool debug --tools busybox:musl -- COMMAND"
        )
    words = ", or ".join(ways)
    return f"{words[0].upper()}{words[1:]}."


def missing_shell(given: Given) -> str:
    """Where an image has no shell, or not the one that was asked for."""
    if "--shell" in given:
        return "Leave out --shell, or name one that is there."
    return f"Name the path of a shell with --shell PATH. {missing_program(given)}"


def not_as_root(given: Given) -> str:
    """Where a container must not run as root, and its image would."""
    ways = [given.named("--user", "1000"), "" if "--root" in given else given.named("--root")]
    if not any(ways):
        return "Leave out --profile." if "--profile" in given else ""
    return f"Name the user to run as: {', or '.join(filter(None, ways))}."


def missing_object(given: Given) -> str:
    """Where a Secret or a ConfigMap is not there, or has no such key."""
    if "--like" in given:
        return "The workload of --like refers to it. Create it, or leave out --like."
    if "--copy" in given:
        return "The pod that is copied refers to it. Create it."
    if "--custom" in given:
        return "Check what the file of --custom refers to, or create it."
    return "Create it."


def no_node(given: Given, why: str, selector: str) -> str:
    """Where no node takes a pod.

    Args:
        why: the words of the scheduler.
        selector: the node selector of the pod, for people.
    """
    hints = []
    if "taint" in why and given.takes("--toleration"):
        hints.append("Tolerate the taint with --toleration KEY.")
    if ("Insufficient" in why or "Too many pods" in why) and given.takes("--cpu"):
        hints.append("Ask for less with --cpu and --memory, or wait for room with --timeout.")
    if any(words in why for words in ("node selector", "'s node affinity")) and selector:
        change = "; change that with --node-selector" if given.takes("--node-selector") else ""
        hints.append(f"The pod needs a node with {selector}{change}.")
    if "volume" in why or "persistentvolumeclaim" in why:
        if "--like" in given:
            hints.append("Its volumes are those of the workload of --like.")
        elif "--copy" in given:
            hints.append("Its volumes are those of the pod that is copied.")
    return " ".join(hints)
