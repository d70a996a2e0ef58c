"""`agtool ci-nodepool`: CI jobs on preemptible nodes, and nothing else there.

What must hold, and where it is seen to:

* No taint of another controller is lost: every write carries the version that was read
  (`pool.plan.Change.patch`), and is planned again if that is refused (`pool.write`, `watch`).
* Undo takes back what agtool did, and no more: `pool.plan`, on the node, and `runner.plan`.
* No job waits for ever: what counts is the pod that gitlab-runner makes (`runner.pod`), judged as
  the scheduler does (`scheduling`). `apply` and `undo` have the order of the steps, `stranding`
  refuses, `status` and `check` show; what cannot be told never counts as good.
* A runner's configuration means afterwards what it meant before, plus what was wanted: each edit
  is proved (`runner.edit`), and put back if the runner does not come up (`runner.change`).

Read in this order: model, taints, scheduling, parse and presets (facts, and what people write),
pool and runner (each folder says how), stranding, nodes and jobs (one change), apply and undo
(several, in order), files (runners that live in git), then status, check, edit, watch and emit.
show and cli are the edges, documents what programs get.
"""

from agtool.core.command import Technique

TECHNIQUE = Technique(
    "ci-nodepool", "Send GitLab CI jobs to preemptible nodes.", "agtool.ci_nodepool.cli"
)
