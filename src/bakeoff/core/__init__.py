"""The words everything else is written in: errors, streams, recipes, cells, tasks, records.

Nothing here imports torch, SciPy, scikit-learn or any other part of the package.
"""
