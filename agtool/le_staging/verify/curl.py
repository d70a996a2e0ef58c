"""The curl command that is as strict as `verify`, and no stricter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agtool.le_staging.roots import store
from agtool.le_staging.verify.target import Target, join

_PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def command(
    target: Target, *, resolve: Sequence[str], connect_to: Sequence[str], env: Mapping[str, str]
) -> list[str]:
    """The words of the command. env: where curl looks for a proxy, which `verify` never uses."""
    argv = ["curl", "--cacert", str(store.bundle()), "--capath", str(store.no_certificates())]
    if any(env.get(name) for name in _PROXIES):
        argv += ["--noproxy", "*"]
    for option, values in (("--resolve", resolve), ("--connect-to", connect_to)):
        for value in values:
            argv += [option, value]
    return [*argv, f"https://{join(target.host, target.port).removesuffix(':443')}/"]
