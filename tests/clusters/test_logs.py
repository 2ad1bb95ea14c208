"""A cluster's logs are read by offset, and never grow without end."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_slipway.clusters.logs import bound, read_log


def test_a_long_log_begins_anew_and_who_reads_or_writes_it_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "host.log"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "ab", buffering=0) as log:
        log.write(b"first\n" + b"." * 100 + b"\nlast\n")
        _, offset = read_log(path, 0)
        bound(path, limit=1000)
        assert path.stat().st_size == offset
        bound(path, limit=50)
        log.write(b"then\n")
        text, following = read_log(path, offset)

    assert text == "[the log began anew; the end of what was before is in host.log.old]\nthen\n"
    assert read_log(path, following) == ("", following)
    assert (tmp_path / "host.log.old").read_text().endswith("last\n")


def test_a_negative_offset_counts_from_the_end(tmp_path: Path) -> None:
    path = tmp_path / "host.log"
    path.write_bytes(b"first\nlast\n")

    assert read_log(path, -5) == ("last\n", 11)
    assert read_log(path, -500) == ("first\nlast\n", 11)
    assert read_log(tmp_path / "none.log", -5) == ("", 0)
