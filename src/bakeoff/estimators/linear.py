"""Softmax and logistic regression as scikit-learn estimators."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.metaestimators import available_if

from bakeoff.core.errors import InputError
from bakeoff.estimators.base import NetworkClassifier, by_batches


class LinearClassifier(NetworkClassifier):
    """One affine layer; what its two estimators share.

    Args:
        solver: `lbfgs` minimises over all rows at once, in float64; the others (`sgd`, `momentum`,
            `nesterov`, `rmsprop`, `adam`, `adamw`) learn from batches, in float32.
        l2: Weight of the penalty, not divided by the number of rows.
        learning_rate_init: Step size, or its peak where `schedule` shapes it; not of `lbfgs`.
        momentum: Of the solvers `momentum` and `nesterov`, 0 <= momentum < 1.
        schedule: How the rate changes over `max_iter` epochs; not of `lbfgs`.
        batch_size: Rows of an update; fewer where there are not so many; not of `lbfgs`.
        max_iter: Passes over the data, or iterations of `lbfgs`, at most.
        tol: Training ends when `n_iter_no_change` epochs in a row lowered the training loss by no
            more than this (or raised the validation accuracy, with `early_stopping`), `lbfgs` when
            no component of the gradient is greater; None: it goes on to `max_iter`.
        n_iter_no_change: See `tol`; not of `lbfgs`.
        early_stopping: Hold rows out, stratified; keep the weights that score best on them.
        validation_fraction: The share of rows held out.
        random_state: An int is the seed of bakeoff's named streams, so that equal ints give equal
            bits, and those of the technique; a `RandomState` or None draws one.
        verbose: Write a line to stderr every epoch.
    """

    def __init__(
        self,
        solver: str = "lbfgs",
        *,
        l2: float = 1e-3,
        learning_rate_init: float = 0.05,
        momentum: float = 0.9,
        schedule: str = "constant",
        batch_size: int = 64,
        max_iter: int = 200,
        tol: float | None = 1e-4,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.solver = solver
        self.l2 = l2
        self.learning_rate_init = learning_rate_init
        self.momentum = momentum
        self.schedule = schedule
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.verbose = verbose

    @available_if(by_batches)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None) -> Self:
        """One epoch over these rows, going on from what was learnt; the rate is constant.

        Args:
            X: (N, D) finite numbers.
            y: (N,) labels among `classes`.
            classes: All class labels; needed at the first call, ignored thereafter if equal.

        Raises:
            ValueError: where parameters or data are not allowed, or training diverged.
        """
        return self._learn_more(X, y, classes)

    def _publish(self, weights: Mapping[str, NDArray[Any]]) -> None:
        self.coef_, self.intercept_ = weights["output.weight"], weights["output.bias"]


class SoftmaxRegression(LinearClassifier):
    """Linear classification of K classes: `softmax(x W^T + b)`, the technique `softmax`.

    Minimised is the mean cross-entropy plus `l2 / 2 * |W|^2`; the intercepts are free. In terms of
    scikit-learn's `LogisticRegression`, `C = 1 / (l2 * N)` for N rows. Parameters: see
    `LinearClassifier`. Source: Cox 1958, "The regression analysis of binary sequences", for more
    than two classes.

    Attributes:
        coef_: (K, D), for two classes too.
        intercept_: (K,).
        classes_: (K,) sorted labels.
        n_features_in_: D; `feature_names_in_` where X had column names.
        n_iter_: Epochs, or iterations of `lbfgs`, done.
        loss_curve_: Mean cross-entropy (nats, without the penalty) of each epoch's batches, each
            before its own update; of `lbfgs`, of all rows after each iteration.
        validation_scores_: Accuracy after each epoch, `best_validation_score_` the greatest; with
            `early_stopping` alone.
    """


class LogisticRegression(LinearClassifier):
    """Linear classification of two classes: `sigmoid(x w + b)`.

    Minimised is the mean cross-entropy plus `l2 / 2 * |w|^2`; the intercept is free. In terms of
    scikit-learn's `LogisticRegression`, `C = 1 / (l2 * N)` for N rows; more than two classes are
    `SoftmaxRegression`'s. Parameters: see `LinearClassifier`. Source: Cox 1958, "The regression
    analysis of binary sequences".

    Attributes:
        coef_: (1, D), towards the second class.
        intercept_: (1,).
        classes_: (2,) sorted labels.
        n_features_in_: D; `feature_names_in_` where X had column names.
        n_iter_: Epochs, or iterations of `lbfgs`, done.
        loss_curve_: Mean cross-entropy (nats, without the penalty) of each epoch's batches, each
            before its own update; of `lbfgs`, of all rows after each iteration.
        validation_scores_: Accuracy after each epoch, `best_validation_score_` the greatest; with
            `early_stopping` alone.
    """

    def _outputs(self) -> int:
        return 1

    def _check_classes(self, classes: NDArray[Any]) -> None:
        super()._check_classes(classes)
        if len(classes) > 2:
            raise InputError(
                "Only binary classification is supported. The type of the target is multiclass: "
                f"{len(classes)} classes received (SoftmaxRegression takes any number)"
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags
