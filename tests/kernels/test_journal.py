"""The journal gives back what was written, from any number on; it stays small; no torn end or full disk harms it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from jupyter_slipway.kernels.host import journal as journals
from jupyter_slipway.kernels.host.journal import Journal, frames
from jupyter_slipway.kernels.host.tail import Tail
from jupyter_slipway.kernels.host.wire import MESSAGE, Parser


def written(journal: Journal | Tail, count: int, size: int = 10) -> None:
    for _ in range(count):
        journal.append(MESSAGE, os.urandom(size))


def numbers(journal: Journal | Tail, after: int, until: int | None = None) -> list[int]:
    parser = Parser()
    return [frame.number for piece in journal.read(after, until) for frame in parser.feed(piece)]


@pytest.mark.parametrize(
    ("after", "until", "expected"), [(0, None, range(1, 301)), (150, 160, range(151, 161)), (300, None, [])]
)
def test_it_is_read_from_any_number_on(tmp_path: Path, after: int, until: int | None, expected: range) -> None:
    journal = Journal(tmp_path, segment=2000)
    written(journal, 300)

    assert numbers(journal, after, until) == list(expected)


def test_it_goes_on_where_a_killed_host_left_it(tmp_path: Path) -> None:
    written(Journal(tmp_path, segment=2000), 100)
    newest = max(tmp_path.iterdir())
    with newest.open("ab") as file:
        file.write(b"\x40\0\0\0\1torn")

    journal = Journal(tmp_path, segment=2000)
    written(journal, 5)

    assert journal.last == 105
    assert numbers(journal, 95) == list(range(96, 106))


def test_the_oldest_goes_when_all_is_too_large(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment=2000, limit=10_000)
    written(journal, 2000)

    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 12_000
    assert journal.first > 1
    assert numbers(journal, 0) == list(range(journal.first, 2001))


def test_a_reader_of_an_old_segment_is_not_harmed_by_its_end(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment=2000, limit=10_000)
    written(journal, 300)
    reading = journal.read(0)
    first = next(reading)
    written(journal, 2000)

    parser = Parser()
    found = [frame.number for piece in (first, *reading) for frame in parser.feed(piece)]

    assert found == sorted(set(found))


def test_a_full_disk_costs_the_frames_that_did_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path)
    written(journal, 10)
    real = os.write

    def full(descriptor: int, data: bytes) -> int:
        real(descriptor, bytes(data)[:5])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journals.os, "write", full)
    written(journal, 5)
    assert journal.failed is not None
    monkeypatch.setattr(journals.os, "write", real)
    written(journal, 5)

    assert journal.failed is None
    assert numbers(journal, 0) == [*range(1, 11), *range(16, 21)]
    assert [frame.number for frame in frames(tmp_path, 0)] == [*range(1, 11), *range(16, 21)]


def test_what_is_young_is_read_from_memory_even_if_the_disk_was_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tail = Tail(Journal(tmp_path))
    written(tail, 10)

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journals.os, "write", full)
    written(tail, 5)

    assert numbers(tail, 0) == list(range(1, 16))


def test_at_rest_only_what_is_in_no_file_stays_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tail = Tail(Journal(tmp_path))
    written(tail, 10)
    tail.rest()
    assert (tail._frames, numbers(tail, 0)) == ([], list(range(1, 11)))

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", no_space)
        written(tail, 1)
    tail.rest()
    written(tail, 1)
    assert numbers(tail, 9) == [10, 11, 12]


def no_space(*arguments: object) -> int:
    raise OSError(errno.ENOSPC, "full")


def test_memory_is_bounded_and_the_rest_comes_from_the_disk(tmp_path: Path) -> None:
    tail = Tail(Journal(tmp_path))
    written(tail, 40, size=1 << 20)

    assert tail._size < 10 << 20
    assert numbers(tail, 0) == list(range(1, 41))
    assert numbers(tail, 3, 38) == list(range(4, 39))
