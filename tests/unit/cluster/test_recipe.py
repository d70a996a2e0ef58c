"""What is built is what is pinned."""

import pytest

from tests.cluster.lock import PROGRAMS, imports
from tests.cluster.recipe import Module, everything, kubernetes
from tests.servers.process import ServerUnavailable


@pytest.mark.parametrize("module", everything(), ids=lambda module: module.folder.name)
def test_the_modules_are_those_of_the_recipe(module: Module) -> None:
    told = "`python -m tests.cluster lock` writes it anew"
    pinned = (module.folder / "go.mod").read_text(encoding="utf-8")
    assert f"\nrequire {module.path} v{module.version}\n" in pinned, told
    assert f"{module.path} v{module.version} h1:" in (module.folder / "go.sum").read_text(
        encoding="utf-8"
    ), told
    assert (module.folder / PROGRAMS).read_text(encoding="utf-8") == imports(module), told


def test_another_recipe_is_another_result() -> None:
    new, old = kubernetes("1.37"), kubernetes("1.34")
    results = {new.identity("go1"), new.identity("go2"), old.identity("go1")}
    results.add(new._replace(tags="more").identity("go1"))
    assert len(results) == 4


def test_a_version_without_a_recipe() -> None:
    with pytest.raises(ServerUnavailable, match=r"1\.20: the versions .* are 1\.37, 1\.34"):
        kubernetes("1.20")
