"""Bag of words: TF-IDF weights of words and pairs of words, and logistic regression on them.

A text is a sparse vector: for each known word, and each known run of up to `runs` words, the
weight (1 + ln n) * (ln((1 + N) / (1 + d)) + 1), n times in the text, in d of N training texts;
vectors have length 1 (G. Salton, C. Buckley 1988, "Term-weighting approaches in automatic text
retrieval"; smoothed as scikit-learn does). On them softmax regression with an L2 penalty, by
L-BFGS (scikit-learn's). Its strength is the one of `l2` with the least log loss on validation.
scikit-learn and SciPy load when something is fitted.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bakeoff.core.cell import Cell
from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples, Items, Modality
from bakeoff.core.frozen import plain
from bakeoff.core.protocols import Arrays, LayerProfile, Predictor, Run, TrainingData
from bakeoff.core.recipe import DeviceName, Framework, Settings
from bakeoff.core.softmax import softmax
from bakeoff.core.task import Task
from bakeoff.data.vocabulary import Vocabulary, VocabularySettings, read_words
from bakeoff.techniques.saved import read_predictor, texts_of, write_predictor
from bakeoff.techniques.words import words_key

WORDS = "vocabulary"
"""What the saved terms are called among the arrays."""
ITERATIONS = 1000
"""Of L-BFGS, at most: it has converged long before."""


class TermSettings(VocabularySettings):
    """Which terms count: words, and runs of words."""

    size: Annotated[int, Field(ge=2)] = 50_000
    """The most terms, the unknown one included, which weighs nothing."""
    runs: Annotated[int, Field(ge=1, le=5)] = 2
    """The longest run of words that is a term: 1 is words alone."""


class BagOfWordsSettings(Settings):
    """Of TF-IDF and logistic regression."""

    words: TermSettings = TermSettings()
    l2: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = (
        *(1e-2, 3e-3, 1e-3, 3e-4),
        *(1e-4, 3e-5, 1e-5, 3e-6),
    )
    """Adds l2 / 2 * |w|^2 to the mean loss: strengths to choose from on validation."""


class Terms:
    """Texts to sparse rows of TF-IDF weights.

    Args:
        settings: Which terms count.
        vocabulary: The terms of the training texts.
        inverse: (size,) float64: of each term its inverse document frequency, 0 beyond the
            vocabulary and of the unknown term.
    """

    def __init__(
        self, settings: TermSettings, vocabulary: Vocabulary, inverse: NDArray[np.float64]
    ) -> None:
        self.settings, self.vocabulary, self.inverse = settings, vocabulary, inverse

    @classmethod
    def of(cls, items: Sequence[str], settings: TermSettings) -> "Terms":
        """Of training texts."""
        read = [list(_terms(words, settings.runs)) for words in read_words(items, settings)]
        vocabulary = Vocabulary.of(read, settings)
        holding = Counter(term for terms in read for term in set(terms))
        inverse = np.zeros(settings.size)
        for term, number in vocabulary.numbers.items():
            inverse[number] = np.log((1 + len(read)) / (1 + holding[term])) + 1
        return cls(settings, vocabulary, inverse)

    def rows(
        self, items: Sequence[str]
    ) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int64]]:
        """Weights, term numbers and starts of N rows, as sparse matrices have them.

        Returns:
            (M,) float64, (M,) int32 ascending within a row, (N + 1,) int64.
        """
        find = self.vocabulary.numbers
        numbers: list[int] = []
        counts: list[int] = []
        starts = [0]
        for words in read_words(items, self.settings):
            found = Counter(find[t] for t in _terms(words, self.settings.runs) if t in find)
            for number in sorted(found):
                numbers.append(number)
                counts.append(found[number])
            starts.append(len(numbers))
        places, ends = np.array(numbers, np.int32), np.array(starts, np.int64)
        weights = (1 + np.log(np.array(counts, np.float64))) * self.inverse[places]
        for first, end in pairwise(starts):
            row = weights[first:end]
            row /= max(np.sqrt(np.sum(row * row)), 1e-300)
        return weights, places, ends

    def matrix(self, items: Sequence[str]) -> Any:
        """(N, size) as a sparse matrix of SciPy's."""
        from scipy.sparse import csr_matrix

        weights, places, starts = self.rows(items)
        return csr_matrix((weights, places, starts), shape=(len(items), self.settings.size))


def _terms(words: Sequence[str], runs: int) -> Iterator[str]:
    """Words, then pairs, ...: a run is its words with spaces between."""
    yield from words
    for length in range(2, runs + 1):
        for first in range(len(words) - length + 1):
            yield " ".join(words[first : first + length])


class BagOfWordsPredictor:
    """Weights of terms with the terms they belong to.

    Args:
        settings: All it was fitted with.
        terms: Texts to rows.
        weight: (size, K) float64.
        bias: (K,) float64.
        classes: The K class names.
    """

    def __init__(
        self,
        settings: BagOfWordsSettings,
        terms: Terms,
        weight: NDArray[np.float64],
        bias: NDArray[np.float64],
        classes: Sequence[str],
    ) -> None:
        self.settings, self.terms, self.classes = settings, terms, tuple(classes)
        self.weight, self.bias = weight, bias

    def predict(self, items: Items) -> NDArray[np.float32]:
        """Class probabilities (N, K) float32 of N texts.

        Raises:
            InputError: where the items are no texts.
        """
        given = texts_of(items, BagOfWords.name)
        weights, places, starts = self.terms.rows(given)
        logits = np.tile(self.bias, (len(given), 1))
        for row in range(len(given)):
            part = slice(starts[row], starts[row + 1])
            # Row by row: a text's bits depend on nothing beside it.
            logits[row] += np.einsum("t,tk->k", weights[part], self.weight[places[part]])
        return softmax(logits).astype(np.float32)

    def layers(self) -> tuple[LayerProfile, ...]:
        """One row; products are counted as if a text held every term."""
        size, count = self.weight.shape
        shapes = {"weight": (size, count), "bias": (count,)}
        parameters = size * count + count
        return (
            LayerProfile(
                "output", "softmax regression", (size,), (count,), shapes,
                parameters, parameters, size * count,
            ),
        )  # fmt: skip

    def save(self, folder: Path) -> None:
        """Write it into an existing folder."""
        arrays: dict[str, NDArray[Any]] = {
            WORDS: self.terms.vocabulary.to_array(),
            "inverse": self.terms.inverse,
            "weight": self.weight,
            "bias": self.bias,
        }
        state = {
            "technique": BagOfWords.name,
            "settings": plain(self.settings),
            "classes": list(self.classes),
        }
        write_predictor(folder, arrays, state)


class BagOfWords:
    """TF-IDF and logistic regression."""

    name: ClassVar[str] = "bag-of-words"
    version: ClassVar[int] = 2  # 2: words in all scripts that have spaces
    settings: ClassVar[type[Settings]] = BagOfWordsSettings
    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})
    modalities: ClassVar[frozenset[Modality]] = frozenset({"text"})
    framework: ClassVar[Framework] = "numpy"
    seeded: ClassVar[bool] = False
    summary: ClassVar[str] = "TF-IDF of words and pairs of words, logistic regression"

    def fit(
        self, cell: Cell, data: TrainingData, inputs: Mapping[str, Predictor], run: Run
    ) -> BagOfWordsPredictor:
        """Weigh the terms in one phase, `terms`, then fit each strength in another, `solve`.

        Raises:
            InputError: where the data are no texts.
        """
        settings = cast(BagOfWordsSettings, cell.recipe.settings)
        terms = _terms_of(run, texts_of(data.train.items, self.name), settings.words)

        def compute() -> Arrays:
            return _fit(terms, settings.l2, data.train, data.validation, data.task)

        arrays = run.solve("solve", compute)
        losses = ", ".join(
            f"{l2:g}: {loss:.4f}"
            for l2, loss in zip(settings.l2, arrays["losses"].tolist(), strict=True)
        )
        run.remark([
            f"{len(terms.vocabulary) - 1:,} terms; l2 {float(arrays['chosen']):g} chosen by the "
            f"log loss on validation ({losses})"
        ])  # fmt: skip
        classes = data.task.classes
        return BagOfWordsPredictor(settings, terms, arrays["weight"], arrays["bias"], classes)

    def load(self, folder: Path, device: DeviceName = "auto") -> BagOfWordsPredictor:
        """A saved predictor, back.

        Raises:
            InputError: where there is none of this technique, or its files contradict each other.
        """
        arrays, state = read_predictor(folder, self.name)
        try:
            settings = BagOfWordsSettings.parse(state["settings"])
            vocabulary = Vocabulary.from_array(arrays[WORDS])
            terms = Terms(settings.words, vocabulary, arrays["inverse"])
            weight, bias = arrays["weight"], arrays["bias"]
            classes = state["classes"]
            size = settings.words.size
            if weight.shape != (size, len(classes)) or terms.inverse.shape != (size,):
                raise ValueError(f"weights {weight.shape} do not fit {size} terms")
        except (KeyError, ValueError) as error:
            raise InputError(f"{folder}: not a saved {self.name}: {error}") from None
        return BagOfWordsPredictor(settings, terms, weight, bias, classes)

    def untrained(
        self, settings: Settings, shape: tuple[int, ...], classes: int
    ) -> BagOfWordsPredictor:
        """Zero weights, and no terms."""
        chosen = cast(BagOfWordsSettings, settings)
        size = chosen.words.size
        terms = Terms(chosen.words, Vocabulary(()), np.zeros(size))
        names = [str(i) for i in range(classes)]
        return BagOfWordsPredictor(
            chosen, terms, np.zeros((size, classes)), np.zeros(classes), names
        )


def _terms_of(run: Run, texts: Sequence[str], settings: TermSettings) -> Terms:
    """The terms of training texts, weighed once for all cells that weigh the same ones alike."""

    def compute() -> Arrays:
        made = Terms.of(texts, settings)
        return {WORDS: made.vocabulary.to_array(), "inverse": made.inverse}

    arrays = run.solve("terms", compute, words_key("terms", texts, settings))
    return Terms(settings, Vocabulary.from_array(arrays[WORDS]), arrays["inverse"])


def _fit(
    terms: Terms, strengths: Sequence[float], train: Examples, validation: Examples, task: Task
) -> Arrays:
    """Weights of the strength with the least log loss on validation, and all losses.

    Only terms of the vocabulary are fitted: the penalty leaves the weights of all others at 0.
    """
    from sklearn.linear_model import LogisticRegression

    known, size = len(terms.vocabulary), terms.settings.size
    inputs, others = (terms.matrix(list(part.items))[:, :known] for part in (train, validation))
    best: dict[str, NDArray[Any]] = {}
    losses: list[float] = []
    for l2 in strengths:
        model = LogisticRegression(C=1 / (l2 * len(train)), max_iter=ITERATIONS, tol=1e-6)
        model.fit(inputs, train.labels)
        weight, bias = _for_classes(model, len(task.classes))
        outputs = softmax(others @ weight + bias).astype(np.float32)
        losses.append(task.score(validation.labels, outputs)[task.loss])
        if losses[-1] == min(losses):
            best = {"weight": weight, "bias": bias, "chosen": np.array(l2)}
    rest = np.zeros((size - known, len(task.classes)))
    best["weight"] = np.concatenate([best["weight"], rest])
    return best | {"losses": np.array(losses)}


def _for_classes(model: Any, classes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(size, K) and (K,) of a fitted model; of two classes scikit-learn has the difference."""
    weight, bias = model.coef_.T.astype(np.float64), model.intercept_.astype(np.float64)
    if weight.shape[1] == 1 and classes == 2:
        return np.hstack([-weight / 2, weight / 2]), np.concatenate([-bias / 2, bias / 2])
    return np.ascontiguousarray(weight), bias
