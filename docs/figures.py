"""Put the figures of committed evidence into README and docs, or check that they are there.

    python docs/figures.py            rewrites the blocks
    python docs/figures.py --check    exits with 1 where a block differs

A block stands between `<!-- figures: NAME -->` and `<!-- /figures -->`; NAME is a folder of
`evidence/`. Of a study with a factor, between `<!-- levels: NAME -->` and `<!-- /levels -->` stand
the mean of each recipe over all levels, the lowest and the highest; between `<!-- ladder: NAME -->`
and `<!-- /ladder -->` its mean at each level, with the outcome against the control. Between
`<!-- answers: all -->` and `<!-- /answers -->` stands what every study came to, as its report says.
"""

import json
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path
from statistics import mean
from typing import Any

from bakeoff.report.answer import headlines
from bakeoff.report.results import parse
from bakeoff.study.tables import markdown

ROOT = Path(__file__).resolve().parent.parent
EVIDENCE = ROOT / "evidence"
MANY_LEVELS = 4
"""Above so many, what is known at each level is counted instead."""
KINDS = "figures|levels|ladder|answers"
BLOCK = re.compile(rf"(<!-- ({KINDS}): ([\w-]+) -->\n).*?(<!-- /\2 -->)", re.DOTALL)


def filled(text: str) -> str:
    """A page with every block made anew from the evidence it names."""

    def fill(match: re.Match[str]) -> str:
        if match[2] == "answers":
            return f"{match[1]}{answers()}\n{match[4]}"
        table = TABLES[match[2]](results_of(EVIDENCE / match[3]))
        return f"{match[1]}{table}\n{match[4]}"

    return BLOCK.sub(fill, text)


def results_of(folder: Path) -> dict[str, Any]:
    """What a study's evidence came to."""
    results: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return results


def answers() -> str:
    """A table of all studies with evidence: what was asked, and what is known."""
    rows = ["| study | what was asked | what is known |", "|---|---|---|"]
    for folder in sorted(EVIDENCE.iterdir()):
        results = results_of(folder)
        found = headlines(parse(results))
        if len(found) > MANY_LEVELS:
            counts = Counter(verdict["outcome"] for verdict in verdicts(results))
            told = ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())
            known = f"Of {counts.total()} comparisons at {len(found)} levels: {told}."
        else:
            known = "<br>".join(f"{h.level and h.level + ': '}{h.text}" for h in found)
        rows.append(f"| `{results['study']}` | {results['question']} | {known} |")
    return "\n".join(rows)


def verdicts(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Those about the study's metric."""
    return [v for v in results["verdicts"] if v["metric"] == results["metric"]]


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


def ladder(results: dict[str, Any]) -> str:
    """A table of means: one row for each recipe, best at the last level first."""
    metric, control = results["metric"], results["control"].partition("@")[0]
    outcomes = {(v["a"], v["b"]): v["outcome"] for v in verdicts(results)}
    rows: defaultdict[str, dict[str, tuple[float, str]]] = defaultdict(dict)
    for name, recipe in results["recipes"].items():
        base, _, level = name.partition("@")
        outcome = "control" if base == control else outcomes[name, f"{control}@{level}"]
        rows[base][level] = recipe["metrics"][metric]["mean"], outcome
    levels = list(rows[control])
    made = [f"| {metric} | {' | '.join(level.replace('=', ' ') for level in levels)} |"]
    made.append("|---" + "|--:" * len(levels) + "|")
    for base in sorted(rows, key=lambda name: -rows[name][levels[-1]][0]):
        cells = (f"{value:.1%} ({outcome})" for value, outcome in map(rows[base].get, levels))
        made.append(f"| {base} | {' | '.join(cells)} |")
    shown = "\n".join(made).replace("%", " %")
    return f"{shown}\n\n{runs(results)}; margin {results['margin']:.1%}.".replace("%.", " %.")


def runs(results: dict[str, Any]) -> str:
    """How often every recipe ran."""
    folds = results["resampling"]
    return f"{folds['folds']} folds" if folds else f"{results['seeds_planned']} seeds"


TABLES = {"figures": markdown, "levels": over_levels, "ladder": ladder}
"""What stands in a block, by its kind."""


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
