"""Put the figures of committed evidence into README and docs, or check that they are there.

    python docs/figures.py            rewrites the blocks
    python docs/figures.py --check    exits with 1 where a block differs

A block stands between `<!-- figures: NAME -->` and `<!-- /figures -->`; NAME is a folder of
`evidence/`. Between `<!-- levels: NAME -->` and `<!-- /levels -->` stand, of each recipe, the mean
over all levels of the study's factor, the lowest and the highest.
"""

import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean
from typing import Any

from bakeoff.study.tables import markdown

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(<!-- (figures|levels): ([\w-]+) -->\n).*?(<!-- /\2 -->)", re.DOTALL)


def filled(text: str) -> str:
    """A page with every block made anew from the evidence it names."""

    def fill(match: re.Match[str]) -> str:
        path = ROOT / "evidence" / match[3] / "results.json"
        results = json.loads(path.read_text(encoding="utf-8"))
        table = markdown(results) if match[2] == "figures" else over_levels(results)
        return f"{match[1]}{table}\n{match[4]}"

    return BLOCK.sub(fill, text)


def over_levels(results: dict[str, Any]) -> str:
    """A table of accuracies: one row for each recipe, over all levels of the factor."""
    metric = results["metric"]
    found: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for name, recipe in results["recipes"].items():
        base, _, level = name.partition("@")
        found[base][level.partition("=")[2]] = recipe["metrics"][metric]["mean"]
    rows = [f"| recipe | levels | mean {metric} | lowest | highest |", "|---|--:|--:|---|---|"]
    for base, means in found.items():
        worst, best = (f(means, key=means.__getitem__) for f in (min, max))
        ends = " | ".join(f"{means[level]:.1%} {level}" for level in (worst, best))
        rows.append(f"| {base} | {len(means)} | {mean(means.values()):.2%} | {ends} |")
    return "\n".join(rows).replace("%", " %")


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
