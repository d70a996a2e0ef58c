"""What becomes of `migrate-once` in the pods of a workload, seen from outside.

workload: the object and its pods, and the rights for that; container: which of their containers
runs agtool, and how to ask it; state: where a container is; ask: asking one; report: all of it
together; view: for people.
"""
