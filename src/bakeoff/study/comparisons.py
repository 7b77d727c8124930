"""Who is compared with whom in a study, in what, and whether that may have an outcome."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bakeoff.core.measures import bare, measure_of
from bakeoff.core.record import common_metrics
from bakeoff.core.tasks import metric_owner
from bakeoff.study.folder import Folder
from bakeoff.study.plan import Plan, vocabularies
from bakeoff.study.verdicts import Role


@dataclass(frozen=True)
class Comparison:
    """A variant against the control of its level.

    Attributes:
        a: The variant.
        b: The control.
        level: Values of the crossed factors.
        role: As for `verdicts.PairInput`.
        replaced: Whether it was planned and its settings were changed since. Nothing is known of
            the planned comparison any more, but the correction goes on counting it.
    """

    a: str
    b: str
    level: Mapping[str, Any]
    role: Role
    replaced: bool


def comparisons(plan: Plan, role: Role = "planned") -> list[Comparison]:
    """Every variant against the control of its level, in the order of the plan."""
    recipes, control_plain = plan["recipes"], plan["control_plain"]
    controls = [name for name, r in recipes.items() if r["plain_name"] == control_plain]
    found = []
    for name, recipe in recipes.items():
        if name in controls:
            continue
        control = next(c for c in controls if recipes[c]["level"] == recipe["level"])
        own: Role = role
        if recipe["seed_offset"]:
            own = "secondary"
        elif role == "planned" and (recipe["late"] or recipes[control]["late"]):
            own = "late"
        replaced = own == "late" and recipe["planned"]
        found.append(Comparison(name, control, recipe["level"], own, replaced))
    return found


def other_metrics(folder: Folder) -> list[str]:
    """The metrics, without a split, in which recipes are compared beside the study's own.

    Those that a record lacks, since an earlier version did not know them or they were no finite
    numbers, are left out; and so are figures per token where recipes cut texts into different ones.
    """
    plan, own = folder.plan, bare(folder.plan["metric"])
    records = [record for found in folder.records.values() for record in found.values()]
    split = plan["metric"].partition("/")[0]
    known = {bare(name) for name in common_metrics(records) if name.startswith(f"{split}/")}
    per_token = len(vocabularies(plan)) < 2
    return [
        name
        for name in metric_owner(own).directions
        if name != own and name in known and (per_token or measure_of(name).unit != "token")
    ]
