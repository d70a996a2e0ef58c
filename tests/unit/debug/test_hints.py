"""Hints lead to the cluster and the namespace where the error was."""

import pytest

from agtool.debug.plan import leading_to

OPTIONS = "--kubeconfig '/tmp/k 3' --context admin -n shop"


@pytest.mark.parametrize(
    ("hint", "led"),
    [
        ("Try: agtool debug --like pod/a", f"Try: agtool debug {OPTIONS} --like pod/a"),
        ("`kubectl describe pod a` shows it", f"`kubectl {OPTIONS} describe pod a` shows it"),
        (f"kubectl {OPTIONS} delete pod a", f"kubectl {OPTIONS} delete pod a"),
        (f"agtool debug {OPTIONS} --cleanup", f"agtool debug {OPTIONS} --cleanup"),
        ("kubectl knows v1. agtool debug runs it.", "kubectl knows v1. agtool debug runs it."),
        ("", ""),
    ],
)
def test_hints(hint: str, led: str) -> None:
    assert leading_to(OPTIONS, hint) == led
