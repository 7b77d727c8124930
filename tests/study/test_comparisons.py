"""Who is compared with whom, and in which role."""

from typing import Any

from bakeoff.study.comparisons import comparisons


def recipe(plain_name: str, **changes: Any) -> dict[str, Any]:
    content = {"plain_name": plain_name, "level": {}, "late": False, "planned": True}
    return content | {"seed_offset": 0} | changes


def plan(**recipes: dict[str, Any]) -> dict[str, Any]:
    return {"control_plain": "plain", "recipes": recipes}


def test_variants_meet_the_control_of_their_level() -> None:
    one, two = {"data.labels": 1}, {"data.labels": 2}
    made = plan(
        p1=recipe("plain", level=one),
        v1=recipe("v", level=one),
        p2=recipe("plain", level=two),
        v2=recipe("v", level=two),
    )
    found = [(c.a, c.b, c.level) for c in comparisons(made)]
    assert found == [("v1", "p1", one), ("v2", "p2", two)]
    assert {c.role for c in comparisons(made, "secondary")} == {"secondary"}


def test_roles() -> None:
    made = plan(
        plain=recipe("plain"),
        v=recipe("v"),
        came=recipe("came", late=True, planned=False),
        changed=recipe("changed", late=True),
        again=recipe("again", seed_offset=1_000_000),
    )
    found = {c.a: (c.role, c.replaced) for c in comparisons(made)}
    assert found == {
        "v": ("planned", False),
        "came": ("late", False),
        "changed": ("late", True),
        "again": ("secondary", False),
    }


def test_a_late_control_makes_all_late() -> None:
    made = plan(plain=recipe("plain", late=True), v=recipe("v"))
    assert [c.role for c in comparisons(made)] == ["late"]
