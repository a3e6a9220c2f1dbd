"""A metric of our own: how much of the variance lies between the classes."""

from sklearn_transrate import TransferMetric
from sklearn_transrate.statistics import ClassMoments


class VarianceShare(TransferMetric):
    """Share of the features' variance that lies between the classes."""

    requires = {"moments": ClassMoments.empty(scatter="diagonal")}
    bounds = (0.0, 1.0)
    invariances = frozenset({"translation", "rotation", "scale", "duplication"})
    one_class_score = 0.0

    def _evaluate(self, moments):
        offsets = moments.means - moments.mean
        between = moments.priors @ (offsets**2).sum(axis=1)
        within = moments.priors @ moments.variances().sum(axis=1)
        return between / (between + within) if between > 0 else 0.0
