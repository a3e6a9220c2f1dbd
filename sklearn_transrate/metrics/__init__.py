"""Stage 3: statistics in, one float out, higher is better."""

from sklearn_transrate.metrics._base import MetricResult, TransferMetric
from sklearn_transrate.metrics._baselines import Constant, FeatureWidth, ModelSize
from sklearn_transrate.metrics._coding_rate import coding_rate
from sklearn_transrate.metrics._etran import ETran, etran_from_parts, etran_score
from sklearn_transrate.metrics._function import FunctionMetric
from sklearn_transrate.metrics._gbc import GBC, gbc_score
from sklearn_transrate.metrics._hscore import HScore, h_score
from sklearn_transrate.metrics._knn import (
    NearestNeighborsProbe,
    nearest_neighbors_score,
)
from sklearn_transrate.metrics._leep import LEEP, leep_score
from sklearn_transrate.metrics._lfc import LFC, lfc_score
from sklearn_transrate.metrics._linear_probe import LinearProbe, linear_probe_score
from sklearn_transrate.metrics._logme import LogME, logme_score
from sklearn_transrate.metrics._nce import NCE, nce_score
from sklearn_transrate.metrics._ncti import NCTI, ncti_from_parts, ncti_score
from sklearn_transrate.metrics._nleep import NLEEP, nleep_score
from sklearn_transrate.metrics._pactran import (
    PACTranDirichlet,
    PACTranGamma,
    PACTranGaussian,
    pactran_score,
)
from sklearn_transrate.metrics._parc import PARC, parc_score
from sklearn_transrate.metrics._ped import PED, ped_score
from sklearn_transrate.metrics._registry import get_metric, get_metric_names
from sklearn_transrate.metrics._ridge_loo import RidgeLOO, ridge_loo_score
from sklearn_transrate.metrics._score_all import score_all
from sklearn_transrate.metrics._scorer import TransferScorer, TransRateScorer
from sklearn_transrate.metrics._scorer_factories import (
    get_transfer_scorer,
    get_transfer_scorer_names,
    make_transfer_scorer,
    transrate_scorer,
)
from sklearn_transrate.metrics._sfda import SFDA, sfda_score
from sklearn_transrate.metrics._tmi import TMI, tmi_score
from sklearn_transrate.metrics._transrate import TransRate, transrate_score
from sklearn_transrate.metrics._transrate_curve import EpsCurve
from sklearn_transrate.metrics._transrate_spectra import transrate_from_eigenvalues
from sklearn_transrate.metrics._y_first import FeaturesAsPredictions, y_first

__all__ = [
    "GBC",
    "LEEP",
    "LFC",
    "NCE",
    "NCTI",
    "NLEEP",
    "PARC",
    "PED",
    "SFDA",
    "TMI",
    "Constant",
    "ETran",
    "EpsCurve",
    "FeatureWidth",
    "FeaturesAsPredictions",
    "FunctionMetric",
    "HScore",
    "LinearProbe",
    "LogME",
    "MetricResult",
    "ModelSize",
    "NearestNeighborsProbe",
    "PACTranDirichlet",
    "PACTranGamma",
    "PACTranGaussian",
    "RidgeLOO",
    "TransRate",
    "TransRateScorer",
    "TransferMetric",
    "TransferScorer",
    "coding_rate",
    "etran_from_parts",
    "etran_score",
    "gbc_score",
    "get_metric",
    "get_metric_names",
    "get_transfer_scorer",
    "get_transfer_scorer_names",
    "h_score",
    "leep_score",
    "lfc_score",
    "linear_probe_score",
    "logme_score",
    "make_transfer_scorer",
    "nce_score",
    "ncti_from_parts",
    "ncti_score",
    "nearest_neighbors_score",
    "nleep_score",
    "pactran_score",
    "parc_score",
    "ped_score",
    "ridge_loo_score",
    "score_all",
    "sfda_score",
    "tmi_score",
    "transrate_from_eigenvalues",
    "transrate_score",
    "transrate_scorer",
    "y_first",
]
