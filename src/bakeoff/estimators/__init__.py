"""scikit-learn's face of the techniques: estimators that pass its `check_estimator`.

Importing this loads scikit-learn; nothing else in the package imports it.
"""

from bakeoff.estimators.linear import LogisticRegression, SoftmaxRegression
from bakeoff.estimators.mlp import MLPClassifier

__all__ = ["LogisticRegression", "MLPClassifier", "SoftmaxRegression"]
