"""Chaos: sessions of agtool debug that end in random ways, and whether its promises hold.

`make chaos-sessions SESSIONS=1000 SEED=7`, or `python -m tests.e2e.debug.chaos --help`. Read choice
(what chance decides), session (one from its start to its end), then faults, world (the cluster, and
who may do what there), watcher (what runs and what is left, seen from outside), started (agtool on
pipes or a terminal), verdict and words (what may be said, and when), report.

The cluster has to be one of the tests' own: its API server is killed, and its node drained.
"""
