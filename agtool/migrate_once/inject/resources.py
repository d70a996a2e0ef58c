"""A ResourceList, by which Kustomize and kpt hand objects to a function (KRM). Pure.

Source: the KRM Functions Specification, config.kubernetes.io/v1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agtool.core.yamltext import NotYaml
from agtool.migrate_once.inject.manifests import not_yaml
from agtool.migrate_once.inject.problem import ManifestError, Place
from agtool.migrate_once.inject.reading import at, read
from agtool.migrate_once.inject.writing import as_written

_SIGNS = ("ResourceList", "config.kubernetes.io/")


def function_options(name: str, text: str) -> Mapping[str, Any] | None:
    """The fields of functionConfig's spec; None: the text is no ResourceList.

    Scalars are as they stand in the text: 12e4567 is a commit, and no number that is infinite.

    Raises:
        ManifestError: there are none, or it is not YAML.
    """
    if not all(sign in text[:4096] or sign in text[-4096:] for sign in _SIGNS):
        return None
    try:
        root, data = read(text)
    except NotYaml as error:
        raise not_yaml(error, text, Place(name, 1, 1)) from error
    group = str(at(data, ("apiVersion",))).partition("/")[0]
    if at(data, ("kind",)) != "ResourceList" or group != "config.kubernetes.io":
        return None
    spec = at(data, ("functionConfig", "spec"))
    if not isinstance(spec, Mapping):
        raise ManifestError(
            "the ResourceList has no functionConfig with a spec",
            hint="Write the options there by their names, such as workload: deployment/shop.",
            place=Place(name),
        )
    written: Mapping[str, Any] = at(as_written(root), ("functionConfig", "spec"))
    return written
