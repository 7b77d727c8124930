"""Reading a page as a browser would, with the standard library alone."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "input", "br"}


def unpacked(source: str) -> str:
    """A page less the packed library, which is data: quicker to read."""
    return re.sub(r'(id="library">)[^<]*', r"\1", source)


@dataclass
class Element:
    """One element with its attributes and all text below it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    inside: tuple[str, ...] = ()


@dataclass
class Page(HTMLParser):
    """The elements of a page in order; `faults` lists tags that do not match."""

    source: str
    elements: list[Element] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _open: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        HTMLParser.__init__(self)
        self.feed(unpacked(self.source))
        self.close()
        self.faults += [f"<{element.tag}> is never closed" for element in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if len(attributes) != len(attrs):
            self.faults.append(f"<{tag}> names an attribute twice")
        inside = tuple(element.tag for element in self._open)
        element = Element(tag, attributes, inside=inside)
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1].tag != tag:
            self.faults.append(f"</{tag}> closes nothing at {self.getpos()}")
            return
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, *tags: str) -> list[Element]:
        """Every element with one of these tags."""
        return [element for element in self.elements if element.tag in tags]

    def by_id(self, name: str) -> Element:
        """The element with an id."""
        return next(e for e in self.elements if e.attributes.get("id") == name)

    @property
    def words(self) -> str:
        """All text a reader can see, white space as one blank."""
        return " ".join(self.all("body")[0].text.split())

    @property
    def numbers(self) -> set[float]:
        """The exact values behind the numbers of tables."""
        return {float(e.attributes["value"]) for e in self.all("data")}
