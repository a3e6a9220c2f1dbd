"""A candidate whose file cannot be read: it fails in the table, not before it."""

from __future__ import annotations

from sklearn.base import BaseEstimator, TransformerMixin

__all__ = ["UnreadableFile"]


class UnreadableFile(TransformerMixin, BaseEstimator):
    """A transformer that says why it is none.

    Parameters
    ----------
    reason : str
        What was wrong with the file.
    """

    def __init__(self, reason):
        self.reason = reason

    def fit(self, X, y=None):
        """Raise a ValueError with the reason."""
        raise ValueError(self.reason)

    def transform(self, X):
        """Raise a ValueError with the reason."""
        raise ValueError(self.reason)
