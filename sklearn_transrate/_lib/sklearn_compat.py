"""The one place that imports scikit-learn names which moved or are private."""

from __future__ import annotations

from sklearn.utils.metaestimators import _BaseComposition

try:  # scikit-learn >= 1.9
    from sklearn.callback import CallbackSupportMixin, with_callbacks

    HAS_CALLBACKS = True
except ImportError:
    HAS_CALLBACKS = False

    class CallbackSupportMixin:
        """Stand-in: before 1.9 there are no callbacks to support."""

    def with_callbacks(method):
        """Return the method as it is."""
        return method


__all__ = [
    "HAS_CALLBACKS",
    "CallbackSupportMixin",
    "_BaseComposition",
    "with_callbacks",
]
