"""Notebooks for the tests of diff and merge: plain dicts, said in a line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def code(source: str, id: str = "", *outputs: dict[str, Any], count: int | None = None) -> dict[str, Any]:
    cell = {"cell_type": "code", "metadata": {}, "source": source, "outputs": [*outputs], "execution_count": count}
    return cell | ({"id": id} if id else {})


def markdown(source: str, id: str = "") -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source} | ({"id": id} if id else {})


def printed(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def result(text: str, count: int = 1, **more: Any) -> dict[str, Any]:
    data = {"text/plain": text} | {mime.replace("_", "/"): value for mime, value in more.items()}
    return {"output_type": "execute_result", "execution_count": count, "metadata": {}, "data": data}


def notebook(*cells: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def sources(cells: Sequence[dict[str, Any]]) -> list[str]:
    return [cell["source"] for cell in cells]


def write(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path


class Folder:
    """A git repository whose commits are Ada's unless said otherwise."""

    def __init__(self, top: Path) -> None:
        self.top = top
        top.mkdir(exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str, check: bool = True) -> str:
        person = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        done = subprocess.run(["git", *person, *words], cwd=self.top, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def commit(self, name: str, text: str, message: str = "") -> str:
        (self.top / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message or f"Change {name}")
        return self.git("rev-parse", "HEAD")


def percent(*cells: str) -> str:
    return "\n\n".join(f"# %%\n{cell}" for cell in cells) + "\n"
