"""What several tests of clusters use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clusters.spark import SparkCluster, spark_cluster


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkCluster]:
    """One server for all: a start takes eight seconds of a processor."""
    with spark_cluster(tmp_path_factory.mktemp("spark") / "etl") as cluster:
        yield cluster
