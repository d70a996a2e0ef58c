"""What the shell offers for the values of these commands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agtool.ci_nodepool.presets import PRESETS
from agtool.core import completion

if TYPE_CHECKING:
    from agtool.core.kube.session import Session


def _runners(session: Session) -> Iterator[str]:
    from agtool.ci_nodepool.runner.find import candidates

    # Two requests: there is no time to read the ConfigMaps, which would tell for certain.
    for deployment in candidates(session, None):
        yield f"{deployment['metadata']['namespace']}/{deployment['metadata']['name']}"


presets = completion.words(*PRESETS)
runners = completion.from_cluster(_runners)
"""Offer the runners of the cluster, as NAMESPACE/NAME."""
