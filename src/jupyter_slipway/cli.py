"""`jupyter slipway …`: the whole product without a browser. Stands on `client`; scripts depend on its names and codes.

Exit codes: 0 done · 1 the run failed · 2 cannot be, as asked · 3 not found · 4 the state of things forbids it ·
5 something it needs is away.
"""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS = {
    "publish": "publish",
    "jobs": "jobs job versions export rollback schedule",
    "runs": "run runs show log cancel retry",
    "machine": "runner service doctor demo",
    "notebooks": "convert store",
    "compare": "diff",
    "git": "git",
    "clusters": "cluster clusters",
    "kernels": "console kernel kernels who",
}
"""Which module of `commands` has which: imported when one is called or all are listed."""
HOLDERS = {name: module for module, names in COMMANDS.items() for name in names.split()}


class Main(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        return sorted(HOLDERS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in HOLDERS:
            # Among those that it holds Click looks for what may have been meant.
            self.commands = {each: _command(each) for each in HOLDERS}
            return None
        return _command(name)


def _command(name: str) -> click.Command:
    found = getattr(import_module(f"jupyter_slipway.commands.{HOLDERS[name]}"), name)
    assert isinstance(found, click.Command)
    return found


@click.group(cls=Main, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="jupyter-slipway")
def main() -> None:
    """Publish notebook cells as production jobs, and run them."""


if __name__ == "__main__":
    main()
