"""What an attempt left behind, and that nobody reads more than that."""

from __future__ import annotations

import pytest

from jupyter_slipway.errors import BadRequest, NotFound
from jupyter_slipway.runs import outputs
from jupyter_slipway.runs.outputs import Artifact


@pytest.fixture
def attempt(tmp_path):
    directory = tmp_path / "1"
    (directory / "artifacts" / "plots").mkdir(parents=True)
    (directory / "artifacts" / "model.bin").write_bytes(b"12345")
    (directory / "artifacts" / "plots" / "a b.png").write_bytes(b"1")
    (directory / "secret").write_text("no")
    (tmp_path / "artifacts-beside").write_text("no")
    return directory


def test_an_attempt_that_left_nothing_gives_nothing(tmp_path):
    assert outputs.read(tmp_path) == []
    assert outputs.value(tmp_path) is None
    assert outputs.error(tmp_path) is None
    assert outputs.artifacts(tmp_path) == []


def test_artifacts_are_listed_by_name_with_their_size(attempt):
    (attempt / "artifacts" / "link").symlink_to(attempt / "secret")

    assert outputs.artifacts(attempt) == [Artifact("model.bin", 5), Artifact("plots/a b.png", 1)]
    assert len(outputs.artifacts(attempt, limit=1)) == 1


def test_an_artifact_is_found_by_its_name(attempt):
    assert outputs.artifact(attempt, "plots/a b.png").read_bytes() == b"1"


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "link", "plots/../../secret", "a\0b"])
def test_a_name_that_leads_out_is_refused(attempt, name):
    (attempt / "artifacts" / "link").symlink_to(attempt / "secret")
    with pytest.raises(BadRequest):
        outputs.artifact(attempt, name)


@pytest.mark.parametrize("name", ["other.bin", "plots", "", "x" * 300])
def test_a_file_that_is_not_there_is_not_found(attempt, name):
    with pytest.raises((NotFound, BadRequest)):
        outputs.artifact(attempt, name)
