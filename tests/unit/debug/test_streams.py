"""What of our own streams a command is connected to."""

import os
import sys

import pytest

from agtool.core.errors import UsageError
from agtool.debug.session.streams import Attachment, attachment


def test_a_terminal_that_nobody_listens_to_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    keyboard, screen = os.openpty()
    with os.fdopen(keyboard, "rb", buffering=0), os.fdopen(screen) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(UsageError, match="-t and --no-stdin do not go together"):
            attachment(False, True, shell=False)
        assert attachment(None, True, shell=False) == Attachment(stdin=True, terminal=True)
        assert attachment(False, None, shell=False) == Attachment(stdin=False, terminal=False)
