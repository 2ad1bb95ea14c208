"""Who may do what with a kernel. Pure; asked by the websocket, the REST API and the kernels' manager.

Roles guard against mistakes: who runs code in a kernel runs it as the server's own system user.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Role = Literal["viewer", "runner", "operator", "owner"]
Action = Literal["look", "run", "interrupt", "restart", "shutdown", "grant"]

ROLES: tuple[Role, ...] = get_args(Role)
"""Each may what those before it may."""
LEAST: dict[Action, Role] = {
    "look": "viewer",
    "run": "runner",
    "interrupt": "operator",
    "restart": "operator",
    "shutdown": "owner",
    "grant": "owner",
}
OWN: frozenset[Action] = frozenset({"interrupt"})
"""What whoever runs something may do to it as if an operator."""
MESSAGES: dict[str, Action] = {
    "kernel_info_request": "look",
    "comm_info_request": "look",
    "history_request": "look",
    "is_complete_request": "look",
    "interrupt_request": "interrupt",
    "shutdown_request": "restart",
}
"""What a message of Jupyter's protocol asks for; all others: to run."""


def role_of(person: str, owner: str, grants: Mapping[str, str], everyone: str) -> Role | None:
    """
    Args:
        everyone: the role of who is neither the owner nor named in `grants`; '' is none
    """
    if person == owner or not owner:
        return "owner"
    named = grants.get(person, everyone)
    return next((role for role in ROLES if role == named), None)


def decide(role: Role | None, action: Action, *, own: bool = False) -> bool:
    """Whether `role` may; `own`: it is only about what the person runs."""
    if role is None:
        return False
    least = "runner" if own and action in OWN else LEAST[action]
    return ROLES.index(role) >= ROLES.index(least)


def refusal(role: Role | None, action: Action, owner: str) -> str:
    """Why not, and who can change it."""
    have = f"You are a {role} of this kernel" if role else "You have no part in this kernel"
    return f"{have}: to {action} takes {LEAST[action]}. {owner or 'Its owner'} can grant it."
