"""The manifest with which krew installs agtool as a plugin of kubectl."""

from __future__ import annotations

import json
from collections.abc import Mapping

_DESCRIPTION = """\
Four techniques for people who run software on Kubernetes, each as one command:
migrate-once (a migration once among all replicas), ci-nodepool (GitLab CI jobs on
preemptible nodes), le-staging (sites with staging certificates of Let's Encrypt) and
debug (a shell in a pod that is gone when the shell is).
"""

_CAVEATS = """\
To complete words with Tab, put kubectl_complete-agtool on PATH: it is in
kubectl-agtool-{version}.tar.gz, beside the files of the release.
"""


def krew_manifest(repository: str, version: str, folders: Mapping[str, tuple[str, str]]) -> str:
    """The manifest, in YAML.

    Args:
        folders: for each architecture the name of the archive with the folder, and its SHA-256.
    """
    platforms = [
        {
            "selector": {"matchLabels": {"os": "linux", "arch": architecture}},
            "uri": f"{repository}/releases/download/v{version}/{name}",
            "sha256": sha256,
            "bin": "agtool/agtool",
        }
        for architecture, (name, sha256) in sorted(folders.items())
    ]
    manifest = {
        "apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
        "kind": "Plugin",
        "metadata": {"name": "agtool"},
        "spec": {
            "version": f"v{version}",
            "homepage": repository,
            "shortDescription": "Migrate once, CI on preemptible nodes, staging certs, debug",
            "description": _DESCRIPTION,
            "caveats": _CAVEATS.format(version=version),
            "platforms": platforms,
        },
    }
    # JSON is YAML too.
    return json.dumps(manifest, indent=2) + "\n"
