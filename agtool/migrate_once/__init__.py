"""`agtool migrate-once`: a command that runs once at a time among all replicas of a Deployment.

The lock lives in the database that is being upgraded. What must hold, and where it is seen to:

* No two commands overlap, whatever dies. A lock alone cannot promise that, since a server frees
  it while the former holder's command is still alive: `acquire` waits for a predecessor's last
  word, and `core.process` ends a command whose lock is in doubt.
* The lock follows the process tree, and the tree dies with agtool: `core.process`.
* Waiting harms nobody: no snapshot, no connection while asleep: `postgresql`, `acquire`.
* A key is done only if the command exited 0, no signal was forwarded and the lock was held
  throughout; it commits with the lock's transaction: `supervise`.

Read in this order: model (facts and figures), backend (what an engine must do), acquire
(waiting), supervise (working), run (one invocation), then an engine: postgresql (and its _lock
and _session) with runs, mysql (the same), sqlite. url, story, status and cli are the edges.
"""

from agtool.core.command import Technique

TECHNIQUE = Technique(
    "migrate-once",
    "Run a command once at a time among all replicas.",
    "agtool.migrate_once.cli",
    wraps_command=True,
)
