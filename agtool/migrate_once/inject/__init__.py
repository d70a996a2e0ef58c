"""`migrate-once inject`: manifests in, manifests out, with one workload changed.

What must hold, and where it is seen to:

* Whatever is not the workload stays byte for byte: `stream` cuts a text into documents without
  reading them, and `splice` only puts pieces into one of them.
* What was put in can be taken out again to the byte: `splice` inserts, or replaces and keeps what
  stood there; `change` proves both, by reading the new text and by undoing it, or refuses.
* What a workload becomes is a pure function of the parsed object: `additions`.

Read in this order: workload (kinds), additions (what is added), operation (how that is said),
nodes and splice (where it is written), writing (how), change (both ways, with proof), stream and
manifests (texts with several documents), resources (a ResourceList), files.
"""
