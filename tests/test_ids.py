"""Identifiers sort by time and never collide."""

from __future__ import annotations

import re
import time

from jupyter_slipway.ids import new_id


def test_ids_sort_by_time():
    ids = []
    for _ in range(20):
        ids.append(new_id("run"))
        time.sleep(0.002)

    assert ids == sorted(ids)
    assert all(re.fullmatch(r"run-[0-9a-hjkmnp-tv-z]{26}", one) for one in ids)


def test_ids_do_not_collide():
    assert len({new_id("run") for _ in range(20_000)}) == 20_000
