"""One target in a process of its own, by atheris: python -m tests.fuzz.run TARGET OPTION..."""

import sys

import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]  # it is in the cache, for fuzzing only


def main() -> None:
    """Fuzz until libFuzzer's options end it; a failure leaves a file crash-*."""
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=["agtool", "tests.fuzz.targets"]):
        from tests.fuzz.targets import target

        check = target(name)
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
