"""What a kernel or a run gets of a Dask cluster: its variables, and the code of `dask_startup`."""

from __future__ import annotations

from collections.abc import Mapping

from jupyter_slipway.clusters.model import Attachment
from jupyter_slipway.clusters.shipped import shipped

VARIABLES = {
    "ca": "DASK_DISTRIBUTED__COMM__TLS__CA_FILE",
    "cert": "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT",
    "key": "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY",
}
# One module for the life of the kernel, however often it is attached: `client` stays the one that is connected.
CODE = """\
def _slipway_attach(source, arguments):
    import sys, types
    module = sys.modules.get("_slipway_dask")
    if module is None:
        module = sys.modules["_slipway_dask"] = types.ModuleType("_slipway_dask")
        exec(compile(source, "<slipway: dask>", "exec"), module.__dict__)
    return module.attach(**arguments)
client = _slipway_attach({source!r}, {arguments!r})
del _slipway_attach
"""


def attachment(name: str, holder: str, address: str, certificates: Mapping[str, str]) -> Attachment:
    """
    Args:
        certificates: paths of 'ca', 'cert' and 'key', when the scheduler speaks TLS
    """
    environ = {"DASK_SCHEDULER_ADDRESS": address, "DASK_CLIENT_NAME": holder}
    if certificates:
        environ |= {VARIABLES[kind]: path for kind, path in certificates.items()}
        environ["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] = "true"
    code = CODE.format(source=shipped("dask_startup"), arguments={"name": name, "environ": environ})
    return Attachment(environ, code, names=("client",))
