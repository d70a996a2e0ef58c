"""Pure: what a refusal to create a pod or a container means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agtool.core.errors import AgtoolError
from agtool.core.kube.errors import NotFoundError

if TYPE_CHECKING:
    from agtool.core.kube.session import Json
    from agtool.debug.model import Request


def is_policy(message: str) -> bool:
    """Whether a refusal is about what the pod may do, so that a pod that does less may pass."""
    return bool(
        re.search(
            r"violates PodSecurity|PodSecurityPolicy|security context constraint"
            r"|denied the request|denied request",
            message,
        )
    )


def lacks_image_volumes(message: str) -> bool:
    """Whether a pod was refused by a Kubernetes that has no volumes that are images.

    It drops what it does not know of the volume, and then misses its type.
    """
    return "must specify a volume type" in message


def policy_words(message: str) -> str:
    """A policy's refusal without the words that are in each of them."""
    text = re.sub(r"^.*?pods \"[^\"]*\" is forbidden: ", "", message)
    return re.sub(r"^.*?(violates PodSecurity)", r"it \1", text)


def policy_hint(message: str) -> str:
    """What to do about a policy's refusal."""
    if _is_pod_security(message):
        return (
            "Choose a namespace (-n) that allows it. To see the Pod Security level of each: "
            "kubectl get namespaces -L pod-security.kubernetes.io/enforce"
        )
    return (
        "Set what the policy asks for (--label KEY=VALUE, --annotation KEY=VALUE, --cpu, "
        "--memory), or choose another namespace (-n)."
    )


def deciding(refusals: Sequence[str]) -> str:
    """Of the refusals of one pod after the other the one that asking for less did not help with."""
    others = [message for message in refusals if not _is_pod_security(message)]
    return others[-1] if others else refusals[0]


def _is_pod_security(message: str) -> bool:
    # A webhook may have the word in its name.
    return "violates PodSecurity" in message or "PodSecurityPolicy" in message


def changed(request: Request, made: Json) -> str:
    """Which labels and annotations of the command line a pod has otherwise, for people."""
    words = []
    for kind, asked in (("label", request.labels), ("annotation", request.annotations)):
        has = made["metadata"].get(f"{kind}s") or {}
        for key, value in asked.items():
            if has.get(key) != value:
                now = f"is {has[key]!r}" if key in has else "is not there"
                words.append(f"{kind} {key} {now} instead of {value!r}")
    return ", ".join(words)


def explained(error: AgtoolError, request: Request) -> AgtoolError:
    """A refusal to create a pod, with what to do about it."""
    message = error.message
    hint = error.hint
    if "exceeded quota" in message:
        hint = (
            "Remove pods that have ended with `agtool debug --cleanup`, or ask for a larger quota."
        )
    elif "failed quota" in message and "must specify" in message:
        hint = "The namespace's quota asks for amounts: add --cpu 100m --memory 64Mi."
    elif "error looking up service account" in message:
        hint = (
            "Check --serviceaccount, or create it."
            if request.service_account
            else "Create it. A new namespace gets its default one after a moment."
        )
    elif "being terminated" in message:
        hint = "The namespace is being deleted. Choose another one with -n."
    elif isinstance(error, NotFoundError):
        hint = "Check -n and --context."
    return type(error)(re.sub(r"^pods \"[^\"]*\" is forbidden: ", "", message), hint=hint)
