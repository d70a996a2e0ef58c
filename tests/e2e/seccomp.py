"""Run a program where the kernel refuses prctl(2), as under a narrow seccomp profile.

python -m tests.e2e.seccomp FIRST_ARGUMENT PROGRAM...

FIRST_ARGUMENT is the number of the option that is refused, or `all`.
"""

import ctypes
import os
import struct
import sys

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _SECCOMP_MODE_FILTER = 22, 38, 2

# From linux/bpf_common.h and linux/seccomp.h.
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _EPERM = 0x7FFF0000, 0x00050001

# struct seccomp_data: the number of the call at 0, its first argument at 16 (its lower half,
# where numbers are little-endian).
_NUMBER, _ARGUMENT = 0, 16

PRCTL = {"x86_64": 157, "aarch64": 167}


def refuse_prctl(option: int | None) -> None:
    """Refuse it to this process and all that it starts; only with this option, if one is given."""
    call = PRCTL[os.uname().machine]
    program = [(_LOAD, 0, 0, _NUMBER), (_JUMP_IF_EQUAL, 0, 3 if option else 1, call)]
    if option:
        program += [(_LOAD, 0, 0, _ARGUMENT), (_JUMP_IF_EQUAL, 0, 1, option)]
    program += [(_RETURN, 0, 0, _EPERM), (_RETURN, 0, 0, _ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    filter_ = struct.pack("@HP", len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in (
        (_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.c_char_p(filter_), 0, 0),
    ):
        if libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    refuse_prctl(None if sys.argv[1] == "all" else int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606  # what it is for
