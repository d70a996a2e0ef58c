"""Fuzzing of all that reads bytes of others: `make fuzz`.

`targets` has a module for each parser. Its `check` takes any bytes, raises nothing for input that
is merely bad, and asserts what has to hold. `corpus` has a folder of inputs for each, which
`tests/unit/fuzz` runs with every `make test`. What a fuzzer found is in it, too.
"""
