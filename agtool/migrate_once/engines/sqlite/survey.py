"""What `--check` wants to know of an SQLite database: of its folder and agtool's files in that."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator

from agtool.core.finding import Finding
from agtool.migrate_once.backend import Survey
from agtool.migrate_once.documents import Server
from agtool.migrate_once.engines.sqlite.files import Files


def survey(files: Files) -> Survey:
    """The folder as this user finds it."""
    server = Server("SQLite", sqlite3.sqlite_version, None, None)
    creates = [f"file {path}" for path in (files.lock, files.runs) if not path.exists()]
    return Survey(server, creates, list(_problems(files)), [])


def _problems(files: Files) -> Iterator[Finding]:
    folder = files.database.parent
    if not folder.is_dir():
        yield files.cannot(f"use {folder}", FileNotFoundError()).finding()
        return
    # Writing to a file of SQLite's makes a journal beside it.
    for path in (folder, files.runs):
        if path.exists() and not os.access(path, os.W_OK):
            yield files.cannot(f"write {path}", PermissionError(0, "Permission denied")).finding()
            return
