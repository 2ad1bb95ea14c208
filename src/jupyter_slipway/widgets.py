"""A run as a widget in a notebook: its state, progress and log, live until it has ended. Fed by `client`."""

from __future__ import annotations

import threading
import time
from html import escape

import ipywidgets

from jupyter_slipway.client import POLL, Client
from jupyter_slipway.errors import SlipwayError
from jupyter_slipway.runs.model import ENDED, Run
from jupyter_slipway.views import took

TAIL = 4000
"""Characters of the log that are shown."""
STYLES = {"succeeded": "success", "failed": "danger", "cancelled": "warning"}


class RunWidget(ipywidgets.VBox):
    """Shows `run` and follows it. `client` is closed when it has ended.

    Args:
        wait: follow before returning, so that the cell ends with the run; else in the background
    """

    def __init__(self, client: Client, run: Run, *, wait: bool = False) -> None:
        self._client, self.run, self._text = client, run, ""
        self._title = ipywidgets.HTML()
        self._bar = ipywidgets.FloatProgress(min=0, max=1, layout={"width": "100%"})
        self._log = ipywidgets.HTML()
        super().__init__([self._title, self._bar, self._log])
        self._draw(run)
        self._thread = threading.Thread(target=self._follow, name=f"slipway-{run.id}", daemon=True)
        if not wait:
            self._thread.start()

    def follow(self) -> Run:
        """Draw what happens until the run has ended."""
        offset = 0
        with self._client:
            while True:
                self._client.revive()
                self.run = self._client.get_run(self.run.id)
                while (page := self._client.log(self.run.id, offset)).text:
                    offset, self._text = page.offset, (self._text + page.text)[-TAIL:]
                self._draw(self.run)
                if self.run.state in ENDED:
                    return self.run
                time.sleep(POLL)

    def _follow(self) -> None:
        try:
            self.follow()
        except SlipwayError as error:  # its server is away: nobody else would hear of it
            self._log.value = f"<b>{escape(error.message)}</b> {escape(error.hint)}"

    def _draw(self, run: Run) -> None:
        detail = took(run.duration) if run.state in ENDED else run.progress_text
        self._title.value = (
            f"<b>{escape(run.job)}</b> v{run.version} · {escape(run.state)} <small>{escape(detail)} · {run.id}</small>"
        )
        self._bar.value = 1.0 if run.state == "succeeded" else run.progress or 0.0
        self._bar.bar_style = STYLES.get(run.state, "info")
        lines = [line.rpartition("\r")[2] for line in self._text.splitlines()[-12:]]
        if run.error:
            lines += [
                f"{frame.source.strip()}  (cell [{frame.cell_index}], line {frame.cell_line})"
                for frame in run.error.frames
            ]
            lines.append(f"{run.error.kind}: {run.error.message}")
        if run.state == "succeeded" and isinstance(run.value, dict):
            lines += [f"{name} = {value}" for name, value in run.value.items()]
        self._log.value = f"<pre style='margin:0'>{escape(chr(10).join(lines))}</pre>"
