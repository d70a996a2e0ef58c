"""What the shell offers where a value of the cluster is to be written.

Everything here answers within a second, and with nothing where the cluster does not: a person who
pressed Tab has no use for a message.
"""

from __future__ import annotations

from collections.abc import Callable

import typer

Completer = Callable[[typer.Context, str], list[str]]


def words(*choices: str) -> Completer:
    """Offer these."""

    def offer(context: typer.Context, incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return offer


def contexts(context: typer.Context, incomplete: str) -> list[str]:
    """Offer the contexts of the kubeconfig."""
    return []


def namespaces(context: typer.Context, incomplete: str) -> list[str]:
    """Offer the cluster's namespaces."""
    return []
