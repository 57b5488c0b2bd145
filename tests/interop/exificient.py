"""EXIficient and the schemas, both from the Josev package: the second opinion on bytes and on XML.

Josev comes from PyPI by the start script of the shared peer (see `josev_peer.py`) or lies in JOSEV_HOME.
Nothing of it is copied here; a run makes a temporary copy of the schemas, so that each set finds its imports.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

HERE = Path(__file__).parent
SCHEMA_FILES = {
    "sap": "V2G_CI_AppProtocol.xsd",
    "din": "din_spec/V2G_CI_MsgDef.xsd",
    "iso2": "iso15118_2/V2G_CI_MsgDef.xsd",
    "iso20-common": "iso15118_20/V2G_CI_CommonMessages.xsd",
    "iso20-ac": "iso15118_20/V2G_CI_AC.xsd",
    "iso20-dc": "iso15118_20/V2G_CI_DC.xsd",
    "iso20-acdp": "iso15118_20/V2G_CI_ACDP.xsd",
    "iso20-wpt": "iso15118_20/V2G_CI_WPT.xsd",
    "xmldsig": "xmldsig-core-schema.xsd",
}
"""Message set -> its schema, below the package's `shared/schemas`."""
PATIENCE_S = 60.0


class RefusedError(Exception):
    """What EXIficient or the validator says of the input."""


def package() -> Path | None:
    """The `shared` folder of an installed Josev package, or None."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = Path(os.environ.get("JOSEV_HOME") or cache / "josev-peer")
    found = sorted(home.glob("venv/lib/python*/site-packages/iso15118/shared"))
    return next((f for f in found if (f / "EXICodec.jar").is_file()), None)


def why_not() -> str | None:
    """Why there is no second opinion here, or None."""
    if shutil.which("javac") is None:
        return "no JDK (javac) is installed"
    return "Josev's package is not installed (JOSEV_HOME)" if package() is None else None


def copy_schemas(target: Path) -> None:
    """Copies the schemas, xmldsig beside each set and without its document type, which names a web page."""
    home = package()
    assert home is not None
    shutil.copytree(home / "schemas", target)
    core = target / "xmldsig-core-schema.xsd"
    core.write_text(re.sub(r"<!DOCTYPE.*?\]>", "", core.read_text("utf-8"), flags=re.DOTALL), "utf-8")
    for folder in [f for f in target.iterdir() if f.is_dir()]:
        shutil.copy(core, folder)
        for schema in folder.glob("*.xsd"):
            # A path from the folder above is looked for in the working directory by EXIficient.
            text = schema.read_text("utf-8").replace("../xmldsig-core-schema.xsd", core.name)
            schema.write_text(text, "utf-8")


class Oracle:
    """EXIficient for one schema file; a context manager."""

    def __init__(self, schema: Path) -> None:
        home = package()
        assert home is not None
        self.process = subprocess.Popen(
            ["java", "-Xss8m", "-cp", home / "EXICodec.jar", HERE / "Exificient.java", schema],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        assert self.process.stdout is not None
        if self.process.stdout.readline() != "ready\n":
            _, said = self.process.communicate(timeout=PATIENCE_S)
            raise RuntimeError(f"EXIficient did not start: {said[-500:]}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()

    def _ask(self, what: str, fragment: bool, data: bytes) -> bytes:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        kind = "fragment" if fragment else "document"
        self.process.stdin.write(f"{what} {kind} {base64.b64encode(data).decode()}\n")
        self.process.stdin.flush()
        word, _, rest = self.process.stdout.readline().strip().partition(" ")
        if word != "ok":
            raise RefusedError(rest)
        return base64.b64decode(rest)

    def encode(self, xml: str, fragment: bool = False, *, learning: bool = False) -> bytes:
        """The EXI of an XML text; ``learning`` as plain EXI 1.0 does elements that no schema declares. Raises
        RefusedError.
        """
        return self._ask("L" if learning else "E", fragment, xml.encode())

    def decode(self, exi: bytes, fragment: bool = False) -> str:
        """The XML of an EXI stream. Raises RefusedError."""
        return self._ask("D", fragment, exi).decode()

    def validate(self, xml: str) -> None:
        """Raises RefusedError, with the reason, for a document that the schema does not allow."""
        self._ask("V", False, xml.encode())
