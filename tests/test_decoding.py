"""What is read becomes what it is to be, in whichever threads it is read first."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import msgspec
import pytest
from msgspec import Struct

from jupyter_slipway.decoding import from_builtins, from_json

THREADS = dedent(
    """
    import sys, threading
    from msgspec import defstruct
    from jupyter_slipway.decoding import from_builtins, from_json

    sys.setswitchinterval(1e-6)
    for _ in range(300):
        inner = defstruct("Inner", [(f"a{k}", dict[str, tuple[int, ...]], {}) for k in range(20)])
        outer = defstruct("Outer", [(f"b{k}", list[inner], []) for k in range(20)])
        start = threading.Barrier(4)

        def read(number):
            start.wait()
            if number % 2:
                from_json(b'{"b0": [{"a19": {"x": [1]}}], "b19": []}', outer)
            else:
                from_builtins({"a19": {"x": (1,)}}, inner)

        threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    """
)


class Point(Struct):
    x: int
    y: int | None = None


def test_threads_that_read_a_type_for_the_first_time_do_not_end_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_is_read_as_its_type() -> None:
    assert from_json(b'{"x": 1}', Point) == from_builtins({"x": 1}, Point) == Point(1)
    assert from_json("[null, {}]") == [None, {}]
    assert from_builtins(None, Point | None) is None
    assert from_builtins({"x": "1"}, Point, strict=False) == Point(1)
    for wrong in (lambda: from_json(b'{"x": "1"}', Point), lambda: from_builtins({"x": "1"}, Point)):
        with pytest.raises(msgspec.ValidationError, match=r"\$\.x"):
            wrong()
    with pytest.raises(msgspec.DecodeError):
        from_json(b"{", Point)
