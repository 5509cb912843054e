from __future__ import annotations

import pytest

from lab.errors import CheckFailedError, InputError, MachineError, UnprovenError, WireproofError
from lab.holder.failure import failure


@pytest.mark.parametrize("kind", [CheckFailedError, UnprovenError, InputError, MachineError, WireproofError])
def test_an_error_is_what_it_was(kind: type[WireproofError]) -> None:
    made = failure("why", kind.exit_code)
    assert type(made) is kind
    assert str(made) == "why"


@pytest.mark.parametrize("code", [None, 0, -9, 99])
def test_a_code_that_no_error_has_is_a_bug_of_ours(code: int | None) -> None:
    assert type(failure("why", code)) is WireproofError
