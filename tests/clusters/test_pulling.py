"""What is too large for the kernel is weighed where it lies, and asked about before it comes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import dask
import dask.array as da
import dask.bag as db
import dask.dataframe as dd
import pandas as pd
import pytest
from distributed import Client, Future

from jupyter_slipway.clusters import pulling, spark_pulling
from jupyter_slipway.clusters.dask_pulling import weigh_results
from jupyter_slipway.clusters.pulling import PULL, TooMuch, ask_or_refuse
from jupyter_slipway.clusters.shipped import shipped


class Weighing(Client):  # type: ignore[misc]  # untyped
    pass


class Result(Future):  # type: ignore[misc]  # untyped
    pass


weigh_results(Weighing, Result)

FRAME = pd.DataFrame({"row": range(5000), "half": [number / 2 for number in range(5000)]})


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    options: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with Weighing(processes=False, **options) as client:
        yield client


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv(PULL, "20000")
    return 20_000


def answering(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Somebody sits at a page and says this; what they are asked."""
    asked: list[str] = []
    said = iter(answers)

    def hear(prompt: str) -> str:
        asked.append(prompt)
        return next(said)

    monkeypatch.setattr(pulling, "_somebody_sits_there", lambda: True)
    monkeypatch.setattr("builtins.input", hear)
    return asked


def test_what_is_within_the_limit_is_what_dask_gives(client: Client) -> None:
    grid = da.arange(20, chunks=3)
    frame = dd.from_pandas(FRAME, npartitions=7)

    assert (grid.compute() == range(20)).all()
    assert da.ones((), chunks=()).compute() == 1
    pd.testing.assert_frame_equal(frame.compute(), FRAME)
    pd.testing.assert_series_equal((frame.row + 1).compute(), FRAME.row + 1)
    pd.testing.assert_index_equal(frame.index.compute(), FRAME.index)
    found = dask.compute(grid, grid + 1, db.from_sequence(range(4), npartitions=2), dask.delayed(sum)([1, 2]))
    assert [list(one) for one in found[:3]] == [list(range(20)), list(range(1, 21)), [0, 1, 2, 3]]
    assert found[3] == 3
    both = dask.compute(frame, frame.row.sum())
    pd.testing.assert_frame_equal(both[0], FRAME)
    assert both[1] == FRAME.row.sum()


def test_a_large_result_is_refused_and_no_worker_joins_it(client: Client, limit: int) -> None:
    grid = da.arange(10_000, chunks=1000)

    with pytest.raises(TooMuch, match=r"This result has .*not brought into the notebook unasked.*--pull"):
        grid.compute()
    with pytest.raises(TooMuch):
        dask.compute(grid, grid + 1)
    with pytest.raises(TooMuch):
        dd.from_pandas(FRAME, npartitions=4).compute()
    known = client.run_on_scheduler(lambda dask_scheduler: [str(key) for key in dask_scheduler.tasks])
    assert [key for key in known if "finalize" in key] == []
    with pytest.raises(TooMuch):
        client.gather(client.compute(grid))


def test_a_traceback_of_the_users_own_error_hides_our_frames(client: Client) -> None:
    wrong = dask.delayed(lambda: 1 / 0)()

    for fail in (wrong.compute, lambda: client.gather(client.compute(wrong))):
        with pytest.raises(ZeroDivisionError) as error:
            fail()
        ours = [one for one in error.traceback if "jupyter_slipway" in str(one.path)]
        assert ours
        assert all(one.locals.get("__tracebackhide__") for one in ours)


def test_what_repeats_one_value_counts_as_large_as_it_will_be(client: Client, limit: int) -> None:
    ones = da.ones((100, 1000), chunks=(10, 1000))

    with pytest.raises(TooMuch, match=r"This result has 0\.8 MiB when its repeated values are written out"):
        ones.compute()
    assert ones.sum().compute() == 100_000


def test_a_future_of_a_result_is_what_dask_gives(client: Client) -> None:
    grid, frame = da.arange(20, chunks=3), dd.from_pandas(FRAME, npartitions=7)

    made = client.compute([grid, grid + 1, db.from_sequence(range(4), npartitions=2), dask.delayed(sum)([1, 2])])
    whole, total = client.compute([frame, frame.row.sum()])

    assert [list(one.result()) for one in made[:3]] == [list(range(20)), list(range(1, 21)), [0, 1, 2, 3]]
    assert made[3].result() == 3
    pd.testing.assert_frame_equal(whole.result(), FRAME)
    assert total.result() == FRAME.row.sum()
    assert client.submit(len, whole).result() == len(FRAME)


def test_who_is_asked_may_have_all_a_sample_or_a_summary(
    client: Client, limit: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = dd.from_pandas(FRAME, npartitions=4)
    asked = answering(monkeypatch, "what?", "all", "Sample", "describe", "")

    pd.testing.assert_frame_equal(frame.compute(), FRAME)
    assert "sample" in asked[0]
    sampled = frame.compute()
    assert 0 < len(sampled) < len(FRAME)
    assert set(sampled.row) < set(FRAME.row)
    assert "of the rows, at random" in capsys.readouterr().err
    assert frame.compute().loc["max"].tolist() == [4999, 2499.5]
    with pytest.raises(TooMuch):
        frame.compute()


def test_what_cannot_be_had_whole_is_not_offered(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, "all", "sample")

    assert ask_or_refuse("9.0 GiB", 0, {"sample": "some"}, "Take some") == "sample"
    assert "bring it all" not in asked[0]
    answering(monkeypatch, "")
    with pytest.raises(TooMuch, match=r"^This result has 9\.0 GiB\. Take some\.$"):
        ask_or_refuse("9.0 GiB", 0, {"sample": "some"}, "Take some")


def test_an_error_of_the_computation_is_told_as_it_is(client: Client, limit: int) -> None:
    def fail(part: Any) -> Any:
        raise ZeroDivisionError("none left")

    with pytest.raises(ZeroDivisionError, match="none left"):
        dd.from_pandas(FRAME, npartitions=4).map_partitions(fail, meta=FRAME).compute()


@pytest.mark.parametrize(
    ("said", "size"),
    [
        ("Statistics(sizeInBytes=8.0 B)", 8),
        ("Statistics(sizeInBytes=3.7 GiB)", int(3.7 * 2**30)),
        ("Statistics(sizeInBytes=1.5E+3 B, rowCount=2)", 1500),
        ("nothing", 0),
    ],
)
def test_sparks_estimate_is_read_from_its_plan(said: str, size: int) -> None:
    assert spark_pulling._estimate(said) == size


@pytest.mark.parametrize("name", ["dask_startup", "spark_startup"])
def test_what_is_sent_to_a_kernel_needs_no_slipway(name: str) -> None:
    text = shipped(name)

    compile(text, name, "exec")
    assert "from jupyter_slipway" not in text
    named = [one.name for one in ast.parse(text).body if isinstance(one, ast.FunctionDef | ast.ClassDef)]
    assert sorted(named) == sorted(set(named))  # of several modules that become one
