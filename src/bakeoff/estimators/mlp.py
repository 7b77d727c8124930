"""The multilayer perceptron as a scikit-learn estimator."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.metaestimators import available_if

from bakeoff.estimators.base import NetworkClassifier, by_batches
from bakeoff.estimators.parameters import MLPParameters, Parameters


class MLPClassifier(NetworkClassifier):
    """Affine layers with an activation between them, the technique `mlp`.

    Minimised is the mean cross-entropy plus `l2 / 2 * |w|^2` over all weights; biases are free.
    scikit-learn's `alpha` is divided by the rows of a batch: `l2 = alpha / batch_size`.

    Args:
        hidden_layer_sizes: Units of each hidden layer, first to last.
        activation: `relu`, `leaky-relu`, `sigmoid`, `tanh` or `swish`, behind each hidden layer.
        solver: `sgd`, `momentum`, `nesterov`, `rmsprop`, `adam` or `adamw`, which learn from
            batches, in float32; or `lbfgs`, over all rows at once, in float64, for few rows.
        l2: Weight of the penalty; with `adamw`, the decay.
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

    Attributes:
        coefs_: One (inputs, outputs) for each affine layer, as scikit-learn lays them.
        intercepts_: One (outputs,) for each.
        classes_: (K,) sorted labels.
        n_features_in_: D; `feature_names_in_` where X had column names.
        n_iter_: Epochs, or iterations of `lbfgs`, done.
        loss_curve_: Mean cross-entropy (nats, without the penalty) of each epoch's batches, each
            before its own update; of `lbfgs`, of all rows after each iteration.
        validation_scores_: Accuracy after each epoch, `best_validation_score_` the greatest; with
            `early_stopping` alone.
    """

    _parameters: ClassVar[type[Parameters]] = MLPParameters

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        *,
        activation: str = "relu",
        solver: str = "adam",
        l2: float = 1e-4,
        learning_rate_init: float = 2e-3,
        momentum: float = 0.9,
        schedule: str = "constant",
        batch_size: int = 128,
        max_iter: int = 200,
        tol: float | None = 1e-4,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
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

    def _layers_of(self, settings: Parameters) -> Mapping[str, Any]:
        own = cast(MLPParameters, settings)
        return {"hidden": own.hidden_layer_sizes, "activation": own.activation}

    def _publish(self, weights: Mapping[str, NDArray[Any]]) -> None:
        names = [path.removesuffix(".weight") for path in weights if path.endswith(".weight")]
        self.coefs_ = [weights[f"{name}.weight"].T for name in names]
        self.intercepts_ = [weights[f"{name}.bias"] for name in names]
