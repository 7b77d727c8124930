"""Where examples come from, how they are split, put in order and checked for leaks.

One file per data set of the catalogue; folders of images and tables of texts beside them. Nothing
here imports torch, SciPy or, before it is needed, scikit-learn.
"""
