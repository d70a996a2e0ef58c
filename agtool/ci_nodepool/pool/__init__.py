"""The nodes of a pool.

find (which they are), record and plan (what to change on one), write (many at once), fates and
affected (what a taint means for pods).
"""
