"""Who may do what."""

from __future__ import annotations

import pytest

from jupyter_slipway.kernels.rights import ROLES, Action, Role, decide, refusal, role_of

ALLOWED: dict[Role | None, str] = {
    None: "",
    "viewer": "look",
    "runner": "look run",
    "operator": "look run interrupt restart",
    "owner": "look run interrupt restart shutdown grant",
}
ACTIONS: tuple[Action, ...] = ("look", "run", "interrupt", "restart", "shutdown", "grant")


@pytest.mark.parametrize("role", [None, *ROLES])
def test_each_role_may_what_the_table_says(role: Role | None) -> None:
    assert [action for action in ACTIONS if decide(role, action)] == ALLOWED[role].split()


def test_who_runs_a_cell_may_interrupt_it_and_a_viewer_never() -> None:
    assert decide("runner", "interrupt", own=True)
    assert not decide("runner", "restart", own=True)
    assert not decide("viewer", "interrupt", own=True)


def test_a_role_is_the_owners_then_what_is_granted_then_everybodys() -> None:
    grants = {"bob": "viewer"}

    assert role_of("ada", "ada", grants, "runner") == "owner"
    assert role_of("bob", "ada", grants, "runner") == "viewer"
    assert role_of("eve", "ada", grants, "runner") == "runner"
    assert role_of("eve", "ada", grants, "") is None


def test_a_refusal_says_what_one_is_what_it_takes_and_who_gives_it() -> None:
    assert refusal("viewer", "run", "ada") == "You are a viewer of this kernel: to run takes runner. ada can grant it."
