"""What the classifiers share: checked input, the one loop, prediction, attributes."""

import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from bakeoff.core.classification import Classification
from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples
from bakeoff.core.measures import Direction
from bakeoff.core.protocols import Batch, Fitted
from bakeoff.core.softmax import softmax
from bakeoff.core.streams import Streams
from bakeoff.data.batches import TrainingBatches, evaluation_batches
from bakeoff.data.stratify import carve
from bakeoff.estimators.memory import MemoryRun
from bakeoff.estimators.parameters import Parameters, plain, seed_of
from bakeoff.scratch.losses import BinaryCrossEntropy, Loss, SoftmaxCrossEntropy
from bakeoff.scratch.network import Sequence, initialise, perceptron
from bakeoff.scratch.objective import Objective
from bakeoff.scratch.optimisers import Optimiser
from bakeoff.scratch.step import Evaluator, Inputs, NumpyStep
from bakeoff.techniques.frameworks.numpy import optimiser_of
from bakeoff.techniques.lbfgs import solve
from bakeoff.training.loop import Surroundings
from bakeoff.training.observers import Silent
from bakeoff.training.plan import plan
from bakeoff.training.settings import TrainingSettings

EVALUATION_BATCH = 1024
Matrix = NDArray[np.floating[Any]]
Labels = NDArray[np.int64]


class Lines(Silent):
    """Writes a line to stderr for every epoch."""

    def row(self, row: dict[str, Any]) -> None:
        """One epoch's loss, and the accuracy where there is validation."""
        score = row.get("validation/accuracy")
        seen = "" if score is None else f", validation accuracy {score:.4f}"
        print(f"epoch {row['epoch']}: loss {row['train/loss']:.6g}{seen}", file=sys.stderr)


def by_batches(estimator: "NetworkClassifier") -> bool:
    """Whether it can go on with more rows.

    Raises:
        AttributeError: where its solver needs all of them at once.
    """
    if estimator.solver == "lbfgs":
        raise AttributeError("partial_fit needs a solver that learns from batches, not lbfgs")
    return True


class NetworkClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A network of `bakeoff.scratch` behind scikit-learn's methods.

    All that is learnt lies in plain arrays, so that a fitted estimator can be copied and pickled;
    the network is built around them when it is needed.
    """

    _parameters: ClassVar[type[Parameters]] = Parameters

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from scratch.

        Args:
            X: (N, D) finite numbers.
            y: (N,) class labels of at least two classes.

        Raises:
            ValueError: where parameters or data are not allowed, or training diverged before its
                first epoch was over.
        """
        settings = self._checked()
        rows, targets = self._rows_and_targets(X, y, settings, reset=True)
        classes, labels = np.unique(targets, return_inverse=True)
        self._check_classes(classes)
        self._begin(classes, settings)
        self._learn(rows, labels.astype(np.int64), settings)
        return self

    def _begin(self, classes: NDArray[Any], settings: Parameters) -> None:
        """Forget what was learnt: where training diverges now, nothing is left to predict with."""
        self.__dict__.pop("_weights", None)
        self.classes_, self._seed = classes, seed_of(self.random_state)
        self._layers = self._layers_of(settings)
        self._moments: dict[str, NDArray[Any]] = {}
        self.n_iter_: int = 0
        self.loss_curve_: list[float] = []

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there are weights to predict with."""
        return "_weights" in self.__dict__

    def _learn(self, rows: Matrix, labels: Labels, settings: Parameters) -> None:
        """Learn from scratch from checked data: rows (N, D) and labels (N,) in 0..K-1."""
        streams = Streams(self._seed)
        validation = None
        if settings.early_stopping:
            held = self._held_out(labels, settings.validation_fraction, streams)
            validation = rows[held], labels[held]
            rows, labels = np.delete(rows, held, axis=0), np.delete(labels, held)
        network = self._network(rows.dtype)
        self._initialise(network, streams)
        per_epoch = 1
        if settings.solver == "lbfgs":
            fitted, curve = self._solve(network, (rows, labels), validation, settings)
            self._keep(network)
        else:
            training = settings.training()
            fitted, curve, updates = self._loop(
                network, (rows, labels), validation, training, streams
            )
            per_epoch = -(-len(labels) // training.batch_size)
            self._keep(network, updates)
        self.n_iter_ = -(-fitted.steps // per_epoch)
        self.loss_curve_ = [row["train/loss"] for row in curve]
        if validation is not None:
            self.validation_scores_ = [row["validation/accuracy"] for row in curve]
            self.best_validation_score_ = max(self.validation_scores_)
        self._tell(fitted, settings, per_epoch)

    def _learn_more(self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None) -> Self:
        """One epoch over the given rows, from where the estimator is; moments go on too."""
        settings = self._checked()
        first = not self.__sklearn_is_fitted__()
        rows, targets = self._rows_and_targets(X, y, settings, reset=first)
        known = self._known_classes(targets, classes)
        if first:
            self._begin(known, settings)
        streams = Streams(self._seed)
        network = self._network(rows.dtype)
        if first:
            self._initialise(network, streams)
        else:
            self._fill(network)
        labels = np.searchsorted(known, targets).astype(np.int64)
        once = settings.training().model_copy(
            update={"epochs": 1, "schedule": "constant", "stopping": None, "restore_best": False}
        )
        order = streams.within("partial", self.n_iter_)
        _, curve, updates = self._loop(network, (rows, labels), None, once, order)
        self._keep(network, updates)
        self.n_iter_ += 1
        self.loss_curve_ = [*self.loss_curve_, curve[-1]["train/loss"]]
        return self

    def _solve(
        self,
        network: Sequence,
        data: tuple[Matrix, Labels],
        validation: tuple[Matrix, Labels] | None,
        settings: Parameters,
    ) -> tuple[Fitted, list[dict[str, Any]]]:
        """Minimise over all rows at once, in place; what it came to, and its curve.

        Raises:
            InputError: where the objective is not finite from the start.
        """
        reader, run = Inputs((self.n_features_in_,), data[0].dtype), MemoryRun()
        objective = Objective(network, self._loss(), reader, *data, settings.l2)
        evaluator, task = Evaluator(network, reader), self._task()

        def scores() -> Mapping[str, float]:
            if validation is None:
                return {}
            return task.score(validation[1], evaluator.probabilities(validation[0]))

        best: tuple[str, Direction] | None = ("accuracy", "max") if validation else None
        tolerance = 0.0 if settings.tol is None else settings.tol
        found = solve(run, objective, scores, best, settings.max_iter, tolerance)
        (fitted,) = run.fitted
        if fitted.diverged_at is not None:
            raise InputError(
                "lbfgs: the loss of these inputs is not finite at the start (scale them, with "
                "StandardScaler for instance)"
            )
        objective.put(found)
        for row in run.rows if self.verbose else ():
            Lines().row(row)
        return fitted, run.rows

    def _loop(
        self,
        network: Sequence,
        data: tuple[Matrix, Labels],
        validation: tuple[Matrix, Labels] | None,
        training: TrainingSettings,
        streams: Streams,
    ) -> tuple[Fitted, list[dict[str, Any]], Optimiser]:
        """Train a network in place by batches; what it came to, its curve, and the optimiser.

        Raises:
            InputError: where it diverged before it could be looked at once.
        """
        updates = optimiser_of(network, training)
        if self._moments.keys() == updates.state().keys():
            updates.load(self._moments)  # of the same solver; another one begins anew
        reader = Inputs((self.n_features_in_,), data[0].dtype)
        step = NumpyStep(network, updates, reader, self._loss())
        batches = TrainingBatches(_examples(*data), training.batch_size, streams)

        def validate() -> Iterator[Batch]:
            assert validation is not None
            return iter(evaluation_batches(_examples(*validation), EVALUATION_BATCH))

        run = MemoryRun(streams, Surroundings(observer=Lines() if self.verbose else Silent()))
        watched = None if validation is None else validate
        fitted = run.loop("train", step, batches, plan(training, batches, self._task(), watched))
        if fitted.selected_step == 0:
            raise InputError(
                f"training diverged within {fitted.steps} updates: learning_rate_init "
                f"{training.learning_rate} is too large for these inputs (scale them, with "
                "StandardScaler for instance, or lower it)"
            )
        return fitted, run.rows, updates

    def _tell(self, fitted: Fitted, settings: Parameters, per_epoch: int) -> None:
        """Warn where training did not end as it should."""
        if fitted.diverged_at is not None:
            warnings.warn(
                f"training diverged at update {fitted.diverged_at}; the weights of epoch "
                f"{fitted.selected_step // per_epoch} are kept: scale the inputs or lower "
                f"learning_rate_init ({settings.learning_rate_init})",
                ConvergenceWarning,
                stacklevel=4,
            )
        elif settings.tol is not None and settings.constant and not fitted.stopped_by:
            warnings.warn(
                f"max_iter={settings.max_iter} was not enough for tol={settings.tol}: raise it, or "
                "set tol=None where that many are meant",
                ConvergenceWarning,
                stacklevel=4,
            )

    def decision_function(self, X: ArrayLike) -> Matrix:
        """What classes score, by log-odds.

        Args:
            X: (N, D).

        Returns:
            (N, K), a softmax away from probabilities; for two classes (N,), the log-odds of the
            second one.
        """
        logits = self._logits(X)
        return logits if len(self.classes_) > 2 else logits[:, 1] - logits[:, 0]

    def predict_proba(self, X: ArrayLike) -> Matrix:
        """Class probabilities (N, K) of X (N, D), in the order of `classes_`."""
        logits = self._logits(X)
        return softmax(logits, out=logits)

    def predict_log_proba(self, X: ArrayLike) -> Matrix:
        """Their logarithms (N, K); finite where the probabilities themselves are too small."""
        logits = self._logits(X)
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return logits

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The likeliest class of each row: (N,)."""
        best = self._logits(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def _logits(self, X: ArrayLike) -> Matrix:
        """(N, K), the same bits however rows are batched; one logit is that of (0, z)."""
        check_is_fitted(self)
        dtype = self._weights["output.bias"].dtype
        with np.errstate(over="ignore", invalid="ignore"):
            rows = validate_data(self, X, dtype=dtype, reset=False)
        network = self._network(dtype)
        self._fill(network)
        logits = Evaluator(network, Inputs((self.n_features_in_,), dtype)).outputs(rows)
        return logits if logits.shape[1] > 1 else np.hstack([np.zeros_like(logits), logits])

    def _checked(self) -> Parameters:
        """The parameters, or all that is wrong with them.

        Raises:
            InputError: naming each parameter, what it is and what is allowed.
        """
        given = plain(self.get_params(deep=False).items())
        given.pop("random_state")
        return self._parameters.parse(given)

    def _rows_and_targets(
        self, X: ArrayLike, y: ArrayLike, settings: Parameters, reset: bool
    ) -> tuple[Matrix, NDArray[Any]]:
        # A line search looks at differences of the objective that float32 does not resolve.
        dtype = np.float64 if settings.solver == "lbfgs" else np.float32
        with np.errstate(over="ignore", invalid="ignore"):  # told by an error instead
            rows, targets = validate_data(self, X, y, dtype=dtype, reset=reset)
        check_classification_targets(targets)
        return rows, targets

    def _check_classes(self, classes: NDArray[Any]) -> None:
        if len(classes) < 2:
            raise InputError(
                f"{type(self).__name__} needs at least two classes to learn from; the data has one "
                f"class: {classes.tolist()}"
            )

    def _known_classes(self, targets: NDArray[Any], classes: ArrayLike | None) -> NDArray[Any]:
        """The class labels of all calls of `partial_fit`, sorted: (K,).

        Raises:
            InputError: where they are missing, change, or do not hold all of `targets`.
        """
        named = None if classes is None else np.unique(np.asarray(classes))
        known = self.classes_ if self.__sklearn_is_fitted__() else named
        if known is None:
            raise InputError("classes must be given at the first call of partial_fit")
        self._check_classes(known)
        if named is not None and not np.array_equal(named, known):
            raise InputError(
                f"classes: {named.tolist()} received, but the first call had {known.tolist()}"
            )
        if strange := np.setdiff1d(targets, known).tolist():
            raise InputError(f"y has labels {strange} that are not among {known.tolist()}")
        return known

    def _held_out(self, labels: Labels, share: float, streams: Streams) -> NDArray[np.intp]:
        """Positions that validate, stratified; no class goes as a whole."""
        held = carve(labels, share, streams.generator("carve").random(len(labels)))
        if len(held) == 0:
            raise InputError(
                f"early_stopping needs a class with at least two examples; there are {len(labels)} "
                f"examples of {len(np.unique(labels))} classes"
            )
        return held

    def _layers_of(self, settings: Parameters) -> Mapping[str, Any]:
        """What `perceptron` is told besides sizes of inputs and outputs."""
        return {"hidden": ()}

    def _network(self, dtype: DTypeLike) -> Sequence:
        """A network of the right sizes, all zero."""
        inputs = (self.n_features_in_,)
        return perceptron(inputs, classes=self._outputs(), dtype=dtype, **self._layers)

    def _loss(self) -> Loss:
        return SoftmaxCrossEntropy() if self._outputs() > 1 else BinaryCrossEntropy()

    def _task(self) -> Classification:
        return Classification([str(k) for k in range(len(self.classes_))])

    def _outputs(self) -> int:
        """Logits of a row: K, or 1 for two classes."""
        return len(self.classes_)

    def _initialise(self, network: Sequence, streams: Streams) -> None:
        """Weights before training: of a linear model zero, since there is one minimum."""
        initialise(network, streams, {"output": "lecun" if self._layers["hidden"] else "zero"})

    def _keep(self, network: Sequence, updates: Optimiser | None = None) -> None:
        """Put all that was learnt into plain arrays."""
        self._weights = {path: p.copy() for path, p in network.parameters.items()}
        self._moments = updates.state() if updates else {}
        self._publish(self._weights)

    def _fill(self, network: Sequence) -> None:
        """Put what was learnt into a network."""
        for path, values in network.parameters.items():
            np.copyto(values, self._weights[path])

    def _publish(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Set scikit-learn's own names for what was learnt."""
        raise NotImplementedError


def _examples(rows: Matrix, labels: Labels) -> Examples:
    return Examples(rows, labels, np.zeros(len(labels), np.str_))
