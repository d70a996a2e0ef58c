"""`agtool migrate-once`: a command that runs once at a time among all replicas of a Deployment.

The lock lives in the database that is being upgraded. What must hold, and where it is seen to:

* No two commands overlap, whatever dies. A lock alone cannot promise that, since a server frees
  it while the former holder's command is still alive: `acquire` waits until the former holder has
  recorded its end, and `core.process` ends a command whose lock is in doubt.
* The lock follows the process tree, and the tree dies with agtool: `core.process`.
* Waiting harms nobody: no snapshot, no connection while asleep: `engines.postgresql`, `acquire`.
* A key is done only if the command exited 0, no signal was forwarded and the lock was held
  throughout; it commits with the lock's transaction: `supervise`.
* The lock is taken and released in lock.py of each engine: `engines.postgresql.lock`, ...;
  `supervise` releases it when the command has ended.

Read in this order: model (facts and figures), backend (what an engine must do), acquire
(waiting), supervise (working), watching and leftovers (beside the command and after it), run (one
invocation), then an engine: engines.postgresql with engines.runs and engines.sign, which the others
share. url, story, status, result_file, documents and cli are the edges.
"""

from agtool.core.command import Technique

TECHNIQUE = Technique(
    "migrate-once",
    "Run a command once at a time among all replicas.",
    "agtool.migrate_once.cli",
    wraps_command=True,
    json_lines=True,
    words=(
        Technique(
            "migrate-once inject",
            "Add it to the manifest of a workload, whatever its image is.",
            "agtool.migrate_once.cli.inject",
        ),
        Technique(
            "migrate-once status",
            "Show who migrates in the pods of a workload, who waits, and what was done.",
            "agtool.migrate_once.cli.status",
        ),
    ),
)
