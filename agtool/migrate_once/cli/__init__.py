"""`agtool migrate-once`: parse, wire, hand the result on.

options: what can be set; modes: what has an effect where; command: the command itself.
"""

from agtool.migrate_once.cli.command import app

__all__ = ["app"]
