"""What a kernel or run gets of a Spark cluster: its variables, and the code of `spark_startup`."""

from __future__ import annotations

from jupyter_slipway.clusters.model import Attachment
from jupyter_slipway.clusters.shipped import shipped

# One module for the life of the kernel, however often it is attached: what it adds to pyspark is added once.
CODE = """\
def _slipway_attach(source, arguments):
    import sys, types
    module = sys.modules.get("_slipway_spark")
    if module is None:
        module = sys.modules["_slipway_spark"] = types.ModuleType("_slipway_spark")
        exec(compile(source, "<slipway: spark>", "exec"), module.__dict__)
    return module.attach(**arguments)
spark = _slipway_attach({source!r}, {arguments!r})
del _slipway_attach
"""


def attachment(name: str, holder: str, directory: str, environ: dict[str, str], *, watched: bool) -> Attachment:
    """
    Args:
        watched: whether the server is a process of this machine, described in the directory's server.json
    """
    # Functions such as `col` are Connect's from the first cell on, not only once there is a session.
    environ = environ | {"SPARK_CONNECT_MODE_ENABLED": "1"}
    arguments = {"name": name, "holder": holder, "directory": directory, "watched": watched, "environ": environ}
    return Attachment(environ, code=CODE.format(source=shipped("spark_startup"), arguments=arguments), names=("spark",))
