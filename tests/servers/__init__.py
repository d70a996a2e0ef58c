"""Real servers for tests, each a small class that is a context manager.

Read `process.py` first: what all of them share. `postgresql.py`, `pgbouncer.py` and `mariadb.py`
have the same shape; `proxy.py` and `network.py` are the ways to break a connection to them.
"""
