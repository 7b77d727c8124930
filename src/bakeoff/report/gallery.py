"""The items on which recipes disagree, and who got them right."""

from collections.abc import Sequence
from dataclasses import dataclass

from bakeoff.report import words
from bakeoff.report.folder import RunFolder
from bakeoff.report.values import mapping, text, whole

FIRST = 12  # items that are shown at once; the others on demand
ROOM = 500_000  # bytes that all pictures of a page may take
LONGEST = 700  # letters of a text that are shown


@dataclass(frozen=True)
class Opinion:
    """What one recipe makes of an item, over its seeds."""

    recipe: str
    index: int
    prediction: str
    right: int
    seeds: int

    @property
    def spoken(self) -> str:
        """For who cannot see the dots."""
        wrong = f"; most often {self.prediction}" if self.right < self.seeds else ""
        return f"right at {self.right} of {words.plural(self.seeds, 'seed')}{wrong}"


@dataclass(frozen=True)
class Item:
    """One card of the gallery.

    Args:
        id: Of the example.
        label: Its true class.
        image: A data URI, or None.
        text: An excerpt, or the empty string.
        opinions: One a recipe, in the order of the recipes.
    """

    id: str
    label: str
    image: str | None
    text: str
    opinions: Sequence[Opinion]

    @property
    def described(self) -> str:
        """The alternative text of the picture."""
        return f"Item {self.id}, labelled {self.label}"


def items(run: RunFolder) -> list[Item] | None:
    """The items to show; None where the folder lists none."""
    listed = run.pictures()
    if listed is None:
        return None
    found, room = [], ROOM
    for entry in listed:
        name = text(entry.get("image"))
        image = run.image(name) if name else None
        if image is not None and len(image) > room:
            image = None
        room -= len(image or "")
        found.append(_item(run, entry, image))
    return found


def _item(run: RunFolder, entry: dict[str, object], image: str | None) -> Item:
    excerpt = text(entry.get("text"))
    predictions = mapping(entry.get("predictions"))
    opinions = []
    for recipe in run.results.recipes:
        found = mapping(predictions.get(recipe.name))
        right, seeds = whole(found.get("right")), whole(found.get("seeds"))
        if right is None or seeds is None or not 0 <= right <= seeds <= 1000:
            continue
        guess = text(found.get("prediction"), "?")
        opinions.append(Opinion(recipe.name, recipe.index, guess, right, seeds))
    return Item(
        id=text(entry.get("id"), "?"),
        label=text(entry.get("label"), "?"),
        image=image,
        text=excerpt if len(excerpt) <= LONGEST else excerpt[:LONGEST].rstrip() + " …",
        opinions=opinions,
    )
