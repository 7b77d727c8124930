"""Put the figures of committed evidence into README and docs, or check that they are there.

    python docs/figures.py            rewrites the blocks
    python docs/figures.py --check    exits with 1 where a block differs

A block stands between `<!-- figures: NAME -->` and `<!-- /figures -->`; NAME is a folder of
`evidence/`.
"""

import json
import re
import sys
from pathlib import Path

from bakeoff.study.tables import markdown

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(<!-- figures: ([\w-]+) -->\n).*?(<!-- /figures -->)", re.DOTALL)


def filled(text: str) -> str:
    """A page with every block made anew from the evidence it names."""

    def fill(match: re.Match[str]) -> str:
        results = ROOT / "evidence" / match[2] / "results.json"
        return f"{match[1]}{markdown(json.loads(results.read_text(encoding='utf-8')))}\n{match[3]}"

    return BLOCK.sub(fill, text)


def pages() -> list[Path]:
    """README and every page of the docs."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def main() -> int:
    """Rewrite or check all pages."""
    stale = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if (made := filled(text)) != text:
            stale.append(page.name)
            if "--check" not in sys.argv[1:]:
                page.write_text(made, encoding="utf-8")
    if stale:
        print(("stale: " if "--check" in sys.argv[1:] else "rewritten: ") + ", ".join(stale))
    return int(bool(stale) and "--check" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
