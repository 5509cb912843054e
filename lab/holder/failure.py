"""An error that crosses from one process to another: its text and its exit code, and nothing else."""

from __future__ import annotations

from lab.errors import CheckFailedError, ExitCode, InputError, MachineError, UnprovenError, WireproofError

_KINDS: dict[int, type[WireproofError]] = {
    ExitCode.VIOLATED: CheckFailedError,
    ExitCode.UNPROVEN: UnprovenError,
    ExitCode.BAD_INPUT: InputError,
    ExitCode.CANNOT: MachineError,
}


def failure(message: str, code: int | None) -> WireproofError:
    """The error that another process met, to be raised here; a code that no error has is a bug of ours."""
    return _KINDS.get(code if code is not None else ExitCode.BUG, WireproofError)(message)
