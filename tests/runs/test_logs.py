"""A log read while it grows: whole characters, and the progress that is in it."""

from __future__ import annotations

import pytest

from jupyter_slipway.runs import logs
from jupyter_slipway.runs.logs import LogChunk


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


def test_a_log_is_read_piece_by_piece(log):
    log.write_text("héllo wörld\n" * 50)
    text, offset = "", 0
    while (chunk := logs.read(log, offset, 7)).text:
        assert chunk.offset == offset
        text, offset = text + chunk.text, chunk.end

    assert text == log.read_text()
    assert offset == log.stat().st_size


def test_a_character_in_the_making_is_waited_for(log):
    log.write_bytes("price 5 €".encode()[:-1])
    assert logs.read(log, 0) == LogChunk("price 5 ", 0, 8)
    assert logs.read(log, 8) == LogChunk("", 8, 8)
    log.write_bytes("price 5 €".encode())
    assert logs.read(log, 8) == LogChunk("€", 8, 11)


def test_a_character_that_never_comes_is_shown_as_missing_at_the_end(log):
    log.write_bytes(b"a\xe2\x82")

    assert logs.read(log, 0, ended=True) == LogChunk("a\ufffd", 0, 3)


def test_what_is_no_text_does_not_stop_the_reading(log):
    log.write_bytes(b"a\xff\xfe\x80\x80\x80\x80\x80b\n")

    assert logs.read(log, 0).text == "a" + "\ufffd" * 7 + "b\n"


def test_a_log_that_is_not_there_or_not_that_long_is_empty(log):
    assert logs.read(log, 5) == LogChunk("", 0, 0)
    log.write_text("abc")
    assert logs.read(log, 50) == LogChunk("", 3, 3)


def test_a_negative_offset_reads_the_end_from_a_whole_character(log):
    log.write_text("a€b")

    assert logs.read(log, -2) == LogChunk("b", 4, 5)
    assert logs.read(log, -100).text == "a€b"


@pytest.mark.parametrize(
    ("text", "progress"),
    [
        ("\r 40%|████      | 4/10 [00:01<00:01,  3.99it/s]", 0.4),
        ("epoch 1\n100%|██████████| 10/10 [00:02<00:00,  3.99it/s]\n", 1.0),
        ("\rdownload 12.5 %\r", 0.125),
        ("accuracy 93% on the test set\n", None),
        ("12/50 rows\n", None),
        ("7/20 [00:07<00:13]\r", 0.35),
        ("\r 10%|█ | 1/10 [00:01]\r 20%|██ | 2/10 [00:02]\nsaved\n", 0.2),
        ("", None),
    ],
)
def test_progress_is_read_from_the_newest_line_that_tells_it(log, text, progress):
    log.write_text(text)

    assert logs.progress(log)[0] == progress


def test_tqdm_itself_is_understood(log):
    from tqdm import tqdm

    with log.open("w") as file:
        bar = tqdm(total=8, file=file, mininterval=0)
        bar.update(6)
        file.flush()
        assert logs.progress(log)[0] == 0.75
        bar.close()


def test_the_tail_is_what_a_terminal_would_show(log):
    log.write_text("one\n10%\r20%\r30%\nlast\n")

    assert logs.tail(log, 2) == "30%\nlast"
