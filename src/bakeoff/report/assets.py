"""What the page carries: styles, scripts, the charting library; and the policy that binds it."""

import base64
import gzip
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from bakeoff import __version__
from bakeoff.core.errors import BakeoffError
from bakeoff.report.palette import style_sheet

_HERE = Path(__file__).parent
STYLES = ("base.css", "parts.css", "figures.css", "print.css")
SCRIPTS = ("charts.js", "page.js")


@dataclass(frozen=True)
class Library:
    """plotly.js, packed.

    Args:
        packed: gzip, in base64.
        digest: SHA-256 of the script, as a content security policy names it.
        version: As its first lines tell.
    """

    packed: str
    digest: str
    version: str


@cache
def library() -> Library:
    """The charting library that the installed package plotly carries; plotly is not imported.

    It travels packed, at two fifths of its size; the page unpacks it. The packing has no time
    stamp in it: the same library gives the same bytes.

    Raises:
        BakeoffError: where the installed plotly carries none.
    """
    found = find_spec("plotly")
    if found is None or found.origin is None:
        raise BakeoffError("the report needs the package plotly: pip install plotly")
    path = Path(found.origin).parent / "package_data" / "plotly.min.js"
    try:
        script = path.read_bytes()
    except OSError as error:
        raise BakeoffError(f"{path}: cannot be read: {error}; reinstall plotly") from None
    version = re.search(rb"plotly\.js v([\d.]+)", script[:500])
    return Library(
        packed=base64.b64encode(gzip.compress(script, 9, mtime=0)).decode(),
        digest=source_hash(script),
        version=version.group(1).decode() if version else "",
    )


@cache
def maker() -> str:
    """What makes the page: the program's version, and a digest of all that decides its bytes.

    That is everything in this package, and the charting library as it is packed here.
    """
    found = hashlib.sha256()
    for path in sorted(_HERE.rglob("*")):
        if path.suffix in (".py", ".html", ".css", ".js"):
            found.update(path.relative_to(_HERE).as_posix().encode() + b"\0" + path.read_bytes())
    found.update(library().packed.encode())
    return f"bakeoff {__version__} ({found.hexdigest()[:12]})"


@cache
def styles() -> str:
    """All style sheets, the palette first."""
    return "\n".join([style_sheet(), *(_file(name) for name in STYLES)])


@cache
def early_script() -> str:
    """What must run before anything is painted: the theme the reader chose last time."""
    return _file("theme.js")


@cache
def scripts() -> str:
    """What draws the figures and serves the controls."""
    return "\n".join(_file(name) for name in SCRIPTS)


def _file(name: str) -> str:
    return (_HERE / "static" / name).read_text(encoding="utf-8")


def source_hash(script: bytes) -> str:
    """How a content security policy names a script it allows."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"


def policy(inline: Sequence[str]) -> str:
    """The content security policy: these scripts and plotly.js run, nothing is ever fetched.

    Styles may stand inline, as plotly.js sets them so; they can fetch nothing either.
    """
    hashes = " ".join([*(source_hash(script.encode()) for script in inline), library().digest])
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {hashes}",
            "style-src 'unsafe-inline'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
