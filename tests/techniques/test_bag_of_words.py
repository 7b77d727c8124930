"""TF-IDF and logistic regression: scikit-learn's numbers, strengths chosen on validation."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from tests.contracts.small import Bench, cell_of, resolved, run_of

from bakeoff.core.errors import InputError
from bakeoff.core.recipe import DataSettings, Recipe
from bakeoff.data.vocabulary import words_of
from bakeoff.techniques.bag_of_words import BagOfWords, Terms, TermSettings

TEXTS = ["The cat sat on the mat.", "the dog; the DOG!", "A cat and a dog sat", "", "other words"]


@pytest.mark.parametrize("runs", [1, 2, 3])
def test_weights_are_scikit_learns(runs: int) -> None:
    settings = TermSettings(minimum_count=1, size=100, runs=runs)
    terms = Terms.of(TEXTS, settings)
    theirs = TfidfVectorizer(analyzer=lambda t: _runs(words_of(t), runs), sublinear_tf=True)
    expected = theirs.fit_transform(TEXTS).toarray()
    ours = terms.matrix(TEXTS).toarray()
    assert len(terms.vocabulary) - 1 == expected.shape[1]
    for term, column in theirs.vocabulary_.items():
        number = terms.vocabulary.numbers[term]
        np.testing.assert_allclose(ours[:, number], expected[:, column], atol=1e-12)
    assert not ours[:, 0].any(), "the unknown term weighs nothing"


def _runs(words: list[str], longest: int) -> list[str]:
    return [
        " ".join(words[i : i + n]) for n in range(1, longest + 1) for i in range(len(words) - n + 1)
    ]


def test_rare_terms_and_those_beyond_the_size_have_no_number() -> None:
    terms = Terms.of(TEXTS, TermSettings(minimum_count=2, size=4, runs=1))
    assert terms.vocabulary.words == ("the", "dog", "a")
    weights, _, starts = terms.rows(["never seen", "the dog"])
    assert starts.tolist() == [0, 0, 2]
    np.testing.assert_allclose(np.sum(weights**2), 1)


def test_the_strength_with_the_least_validation_loss_is_kept(tmp_path: Path) -> None:
    technique = BagOfWords()
    settings = technique.settings.parse({"l2": [10.0, 1e-4, 3.0]})
    recipe = Recipe(
        name="bag-of-words",
        technique="bag-of-words",
        data=DataSettings(set="digits"),
        numerics=resolved("numpy"),
        settings=settings,
    )
    run, data = run_of(recipe, tmp_path / "cell"), Bench(technique, tmp_path).data()
    predictor = technique.fit(cell_of(recipe), data, {}, run)
    (note,) = run.notes
    assert "l2 0.0001 chosen by the log loss on validation (10: " in note
    found = predictor.predict(data.validation.items)
    assert data.task.score(data.validation.labels, found)["accuracy"] == 1
    none = predictor.predict(["words never seen", ""])
    assert (none[0] == none[1]).all(), "biases alone"
    known = len(predictor.terms.vocabulary)
    assert predictor.weight.shape == (predictor.settings.words.size, len(data.task.classes))
    assert predictor.weight[1:known].any(axis=1).all()
    assert not predictor.weight[known:].any(), "terms that no training text holds"


def test_bad_settings_and_a_damaged_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"l2"):
        BagOfWords.settings.parse({"l2": []})
    with pytest.raises(InputError, match=r"l2\.0: .*greater than 0"):
        BagOfWords.settings.parse({"l2": [0]})
    predictor = BagOfWords().untrained(BagOfWords.settings.parse({}), (), 2)
    predictor.save(tmp_path)
    state = tmp_path / "state.json"
    state.write_text(state.read_text().replace("50000", "50001"))
    with pytest.raises(InputError, match=r"not a saved bag-of-words: .*do not fit 50001 terms"):
        BagOfWords().load(tmp_path)
    with pytest.raises(InputError, match=r"^bag-of-words: texts needed, \(1, 2\)"):
        predictor.predict(np.zeros((1, 2)))
