"""`agtool debug`: a shell or a command in a temporary pod, which is removed afterwards.

What must hold, and where it is seen to:

* Nothing stays behind, whatever ends us: `pod.life` removes a pod by its UID on every way out,
  `interrupts` lets signals through only where that is safe, `session.lifeline` ends what lost its
  connection, the pod itself ends after its lifetime: `pod.manifest`, and pause; and the cluster
  takes away what is left: `pod.owner`.
* Nothing looks like a hang: `pod.explain` says why a container does not run, `pod.wait` shows it.
* Exec is right: `session.exec` moves bytes and never blocks, over `core.kube.dial`;
  `session.terminal` puts the terminal back.
* The pod may do as little as the task allows, and what the namespace allows: `pod.security`.
* An option that would do nothing is refused: `modes`.

Read in this order: model (what is asked for), run (one invocation), ways (where it runs) and beside
(a container that is added to a pod); in pod/ security and manifest (the objects), life (from
creation to removal), wait and explain (on the way); in session/ remote, exec, messages, websocket,
terminal and lifeline. pod/leftovers is for `--list` and `--cleanup`; pod/like (with unlike),
target, node, named, architecture and process look things up, and pod/refusal says what a refusal
means. arguments reads what stands on the command line; cli is the edge.
"""

from agtool.core.command import Technique

TECHNIQUE = Technique(
    "debug",
    "Open a shell in a temporary pod, or run a command in it.",
    "agtool.debug.cli",
    wraps_command=True,
)
