"""The nodes of a pool.

find (which they are), plan (what to change on one, and back), write (many at once), fates and
affected (what a taint means for pods).
"""
