"""WikiText-2: 720 articles of Wikipedia, raw, article by article.

Source: S. Merity, C. Xiong, J. Bradbury, R. Socher 2016, "Pointer sentinel mixture models",
arXiv:1609.07843. `wiki.{train,valid,test}.raw` are its files of raw tokens: words and marks stand
between spaces, and no word is replaced. An article is a document; a label budget of 60 is a tenth
of the training text, about.
"""

import re
from pathlib import Path

from bakeoff.core.errors import InputError
from bakeoff.data.corpus import documents, read_utf8
from bakeoff.data.dataset import Dataset
from bakeoff.data.sources import Entry

FILES = ("wiki.train.raw", "wiki.valid.raw", "wiki.test.raw")
TITLE = re.compile(r"(?m)(?<=^ \n) = (?:[^=\n]|[^=\n][^\n]*[^=\n]) = \n(?= ?\n)")
"""A title stands alone between empty lines, of one space; lines of tables look like it without."""


def load_wikitext(folder: Path) -> Dataset:
    """All 600 + 60 + 60 articles.

    Raises:
        InputError: where a file is missing, damaged, or has no titles.
    """
    train, validation, test = (documents(articles(folder / name)) for name in FILES)
    return Dataset("wikitext-2", "text", (), train, test, validation)


def articles(path: Path) -> list[str]:
    """The articles of a file, each from its title to the next.

    Raises:
        InputError: where it cannot be read or has no titles.
    """
    text = read_utf8(path)
    starts = [found.start() for found in TITLE.finditer(text)]
    if not starts:
        raise InputError(
            f"{path}: no article (a title such as ' = Homarus gammarus = ' begins one)"
        )
    return [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]


WIKITEXT_2 = Entry(
    name="wikitext-2",
    summary="720 articles of Wikipedia, 2.5 million words, to be foretold",
    modality="text",
    classes=(),
    shape=(),
    sizes=(600, 60),
    licence="CC BY-SA 3.0",
    citation="Merity, Xiong, Bradbury, Socher 2016, Pointer sentinel mixture models, "
    "arXiv:1609.07843",
    homepage="https://huggingface.co/datasets/Salesforce/wikitext",
    load=load_wikitext,
    folder="wikitext-2",
    layouts=(FILES,),
    hash="94e4a8f50b146e1ee8ac10986a8665cb91790bffb5b5858e98ae54b294b02932",
)
