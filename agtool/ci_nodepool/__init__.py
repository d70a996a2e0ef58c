"""`agtool ci-nodepool`: CI jobs on preemptible nodes, kept that way.

What must hold, and where it is seen to:

* No taint of another controller is lost: every write carries the version that was read
  (`plan.Change.patch`), and is planned again if that is refused (`write`, `reconcile`).
* Undo takes back what agtool did, and no more: `record`, on the node, and `runner_patch`.
* No job waits for ever: `checks` refuses, `apply` (cli_pool) has the order, `status` tells.
* A runner's configuration means afterwards what it meant before, plus what was wanted: each edit
  is proved (`runner_config`), and put back if the runner does not come up (`runner_change`).

Read in this order: model and presets (facts), parse (what people write), record and plan (what to
change), nodes (which), checks and affected (what it means for others), write (many at once), run
(one invocation), show. For the runner: runner (found), runner_config and runner_toml (the TOML),
runner_settings (what it says with flags and environment), runner_patch (what to change),
runner_change and rollout (doing it), runner_run, runner_show. Then status, reconcile and watch,
emit. options and the cli modules are the edges.
"""

from agtool.core.command import Technique

TECHNIQUE = Technique(
    "ci-nodepool",
    "Send GitLab CI jobs to preemptible nodes.",
    "agtool.ci_nodepool.cli",
)
