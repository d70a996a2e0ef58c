"""A runner that is kept by hand, read from the cluster: its configuration, wherever that is."""

from __future__ import annotations

import base64
import binascii

from agtool.ci_nodepool.runner import kept
from agtool.ci_nodepool.runner.kept import runs
from agtool.ci_nodepool.runner.model import Kept, Place, Runner, Source
from agtool.ci_nodepool.runner.reader import Reader
from agtool.core.kube.errors import ForbiddenError, NotFoundError
from agtool.core.kube.session import Json

__all__ = ["read", "runs"]


def read(session: Reader, workload: Json, sources: tuple[Source, ...]) -> Runner:
    """The runner that a workload is; its configuration as far as it can be read."""
    bare = Runner(workload, {}, sources=sources)
    namespace, pod = bare.namespace, bare.pod
    template = kept.registers(pod)
    paths = kept.paths(pod, bare.environment)
    how = Kept(workload["kind"], (paths or [""])[0], template=template)
    unread = f"nothing that can be read is mounted at {how.path}" if paths else ""
    for path, place in [(p, place) for p in paths for place in kept.places_of(pod, p)]:
        try:
            found = session.get(
                f"/api/v1/namespaces/{namespace}/{place.kind.lower()}s/{place.name}"
            )
        except NotFoundError:
            unread = f"there is no {place}"
            continue
        except ForbiddenError as error:
            unread = error.message
            continue
        data = _data(found, place)
        if place.key not in data:
            unread = f"the {place} has no {place.key}"
            continue
        how = how._replace(path=path, key=place.key, place=place)
        return Runner(workload, {**found, "data": data}, sources=sources, kept=how)
    return Runner(workload, {}, sources=sources, kept=how._replace(unread=unread))


def _data(found: Json, place: Place) -> dict[str, str]:
    """The data of a ConfigMap; of a Secret only the configuration, as text."""
    data = found.get("data") or {}
    if place.kind == "ConfigMap":
        return dict(data)
    try:
        return {place.key: base64.b64decode(data[place.key]).decode()}
    except (KeyError, binascii.Error, UnicodeDecodeError):
        return {}
