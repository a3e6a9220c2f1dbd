"""How sure a score is: standard errors, paired comparisons, samples needed.

Every score is turned into one value for each unit, a row or a block of rows, whose
mean is the score and whose spread over the units is its error. Two candidates that
saw the same rows have values for the same units, so the error of their difference is
the spread of the differences, which is far smaller than that of either score.
"""

from sklearn_transrate.uncertainty._comparisons import (
    PairedComparisons,
    compare_scores,
    paired_comparisons,
)
from sklearn_transrate.uncertainty._resampling import Jackknife, bootstrap, jackknife
from sklearn_transrate.uncertainty._samples import suggest_n_samples
from sklearn_transrate.uncertainty._values import pseudo_values, standard_error

__all__ = [
    "Jackknife",
    "PairedComparisons",
    "bootstrap",
    "compare_scores",
    "jackknife",
    "paired_comparisons",
    "pseudo_values",
    "standard_error",
    "suggest_n_samples",
]
