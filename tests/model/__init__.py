"""The model of the lock: checked by Spin, and held against what real runs have done.

`python -m tests.model` is `make model`. checks.py says what is asked, spin.py asks it, trace.py
makes the question whether the model can do what a trace (AGTOOL_TRACE) says; picture.py shows a
counter-example.
"""
