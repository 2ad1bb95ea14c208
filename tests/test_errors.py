from __future__ import annotations

import pytest

from jupyter_slipway.errors import in_short


@pytest.mark.parametrize(
    ("said", "short"),
    [
        (ValueError("no colon, line 3"), "no colon, line 3"),
        (ValueError("\nno colon\nin that line"), "no colon"),
        (ValueError(), "ValueError"),
        ("a word, and then one more", "a word, and then…"),
        ("x" * 30, f"{'x' * 20}…"),
    ],
)
def test_what_others_say_is_cut_between_two_words(said: object, short: str) -> None:
    assert in_short(said, 20) == short
