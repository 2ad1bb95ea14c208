"""The end of a file: run alone, it takes its parameters from the command line. Used by `module`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jupyter_slipway.publish.given import Given, as_json, quoted, reader
from jupyter_slipway.publish.model import Parameter
from jupyter_slipway.publish.parameters import described_type
from jupyter_slipway.publish.pieces import INDENT, Line


def command_line(given: Sequence[Given], spell: Mapping[str, str]) -> list[Line]:
    """The end of the file: it reads the command line, and says what came out."""
    out = ["", ""]
    if given:
        out += [
            "def arguments() -> dict[str, object]:",
            f'{INDENT}"""Those parameters that the command line gives."""',
        ]
        out.append(f"{INDENT}parser = argparse.ArgumentParser(description=__doc__, argument_default=argparse.SUPPRESS)")
        out += [INDENT + option(one.parameter, spell) for one in given]
        out += [f"{INDENT}return vars(parser.parse_args())", "", ""]
    call = "main(**arguments())" if given else "main()"
    out += [
        'if __name__ == "__main__":',
        f"{INDENT}for name, value in {call}.items():",
        f'{INDENT * 2}print(f"{{name}}: {{value}}")',
    ]
    return [Line(one) for one in out]


def option(parameter: Parameter, spell: Mapping[str, str]) -> str:
    """The line that adds one parameter to the parser."""
    flag = "--" + parameter.name.strip("_").replace("_", "-").lower()
    dest = f', dest="{parameter.name}"' if flag[2:].replace("-", "_") != parameter.name else ""
    kind = ""
    if parameter.type == "bool":
        kind = ", action=argparse.BooleanOptionalAction"
    elif as_json(parameter):
        kind = ", type=json.loads"
    elif parameter.type == "list":
        read = reader(parameter.item, spell)
        kind = f', nargs="*"{f", type={read}" if read else ""}'
    elif read := reader(parameter.type, spell):
        kind = f", type={read}"
    if parameter.choices:
        kind += f", choices=[{', '.join(map(quoted, parameter.choices))}]"
    about = parameter.description or f"{described_type(parameter)}, {quoted(parameter.default)} by default"
    about = about.replace("%", "%%")
    return f'parser.add_argument("{flag}"{dest}{kind}, help={quoted(about)})'
