"""Each target on its corpus, what a fuzzer found included, and on random bytes."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import names, target

CORPUS = Path(__file__).parents[2] / "fuzz/corpus"


@pytest.fixture(autouse=True)
def _data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


@pytest.mark.parametrize("name", names())
def test_the_corpus(name: str) -> None:
    check, inputs = target(name), sorted((CORPUS / name).iterdir())
    assert inputs
    for file in inputs:
        check(file.read_bytes())


@pytest.mark.parametrize("name", names())
def test_random_bytes(name: str) -> None:
    seeds = [file.read_bytes() for file in sorted((CORPUS / name).iterdir())]
    cut = st.builds(
        lambda seed, at, more: seed[: at % (len(seed) + 1)] + more,
        st.sampled_from(seeds),
        st.integers(0, 8191),
        st.binary(max_size=64),
    )

    @settings(max_examples=40, deadline=None)
    @given(st.one_of(st.binary(max_size=512), cut))
    def any_bytes(data: bytes) -> None:
        target(name)(data)

    any_bytes()
