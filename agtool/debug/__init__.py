"""`agtool debug`: a shell in the cluster, and nothing left of it.

What must hold, and where it is seen to:

* Nothing stays behind, whatever ends us: `life` removes a pod by its UID on every way out,
  `interrupts` lets signals through only where that is safe, `lifeline` ends what lost its
  connection, and the pod itself ends after its lifetime: `pod`, and pause.
* Nothing looks like a hang: `explain` says why a container does not run, `wait` tells it at once.
* Exec is right: `exec` moves bytes and never blocks, over `websocket`; `terminal` is put back.
* The pod may do as little as the task allows, and what the namespace allows: `security`.

Read in this order: model (what is asked for), security and pod (the objects), life (from creation
to removal), wait and explain (on the way), remote, exec, websocket, terminal and lifeline (the
session), run (one invocation). like, target, place and process look things up; leftovers and
listing are for `--list` and `--cleanup`; modes says which options go together; cli is the edge.
"""

from agtool.core.command import Technique

TECHNIQUE = Technique(
    "debug",
    "Open a shell in a temporary pod, or run a command in it.",
    "agtool.debug.cli",
    wraps_command=True,
)
