"""scikit-learn's face of the techniques: estimators that pass its `check_estimator`.

Importing this loads scikit-learn; nothing else in the package imports it.
"""

from bakeoff.estimators.adaptive import LMSRegressor
from bakeoff.estimators.linear import LogisticRegression, SoftmaxRegression
from bakeoff.estimators.mlp import MLPClassifier

__all__ = ["LMSRegressor", "LogisticRegression", "MLPClassifier", "SoftmaxRegression"]
