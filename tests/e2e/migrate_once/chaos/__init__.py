"""Chaos: many replicas, faults at random moments, and whether two commands ever overlapped.

`make chaos ROUNDS=1000 SEED=7`, or `python -m tests.e2e.migrate_once.chaos --help`. Read rounds,
then replica (the parts of a round), engines, faults, worker (the command), verdict, shrink.

Left out are faults that are documented as limits: SIGKILL of agtool and keeper at once while a
grandchild has left the session and closed its descriptors (nobody is left to kill it); a network
that keeps what a command has sent to a pooler, or to MariaDB, until after the command's end; and on
MariaDB agtool and its keeper both hit in one run, one of them by SIGSTOP.
"""
