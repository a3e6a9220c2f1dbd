"""The one place that imports scikit-learn names which moved or are private."""

from __future__ import annotations

from contextlib import nullcontext

from sklearn.utils import _safe_indexing
from sklearn.utils.metaestimators import _BaseComposition

try:  # scikit-learn >= 1.9
    from sklearn.callback import CallbackSupportMixin, with_callbacks

    HAS_CALLBACKS = True
except ImportError:
    HAS_CALLBACKS = False

    class _NoCallbackContext:
        """Takes the calls that a callback context takes, and does nothing."""

        def subcontext(self, **kwargs):
            return self

        def call_on_fit_task_begin(self, **kwargs):
            return self

        def call_on_fit_task_end(self, **kwargs):
            return False

        def propagate_callback_context(self, estimator):
            return nullcontext()

    class CallbackSupportMixin:
        """Stand-in: before 1.9 there are no callbacks to support."""

        def _init_callback_context(self, **kwargs):
            return _NoCallbackContext()

    def with_callbacks(method):
        """Return the method as it is."""
        return method


__all__ = [
    "HAS_CALLBACKS",
    "CallbackSupportMixin",
    "_BaseComposition",
    "_safe_indexing",
    "with_callbacks",
]
