"""Finding the programs in the package."""

from pathlib import Path

import pytest

import agtool.pause
from agtool.core.errors import ConfigurationError, UsageError
from agtool.pause import ARCHITECTURES, binary


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(agtool.pause, "DATA", tmp_path)
    return tmp_path


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_architecture_has_its_file(data: Path, architecture: str) -> None:
    path = data / f"pause-{architecture}"
    path.touch()
    assert binary(architecture) == path


@pytest.mark.parametrize("architecture", ["x86_64", "", "../amd64", "AMD64"])
def test_an_unknown_architecture_is_a_mistake_of_the_caller(architecture: str) -> None:
    with pytest.raises(UsageError) as caught:
        binary(architecture)
    assert "amd64, arm64" in caught.value.hint


@pytest.mark.usefixtures("data")
def test_a_package_without_programs_says_how_to_get_them() -> None:
    with pytest.raises(ConfigurationError, match="lacks pause-arm64") as caught:
        binary("arm64")
    assert "pause/build.py" in caught.value.hint
