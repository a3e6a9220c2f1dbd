"""
Do the metrics agree?
=====================

Every metric answers a question of its own: how far classes lie apart, how well a linear
model fits, whether neighbours share a label. Where all of them agree it does not matter
which one you ask. This example ranks fifteen layers of five networks by eight metrics
and compares the rankings with each other and with what a linear head reaches.
"""

# %%
# Five networks, each trained on another question about the digits 0 to 4.

from sklearn.neural_network import MLPClassifier

from sklearn_transrate import TransferSelector
from sklearn_transrate.datasets import load_digits_sources, load_digits_target
from sklearn_transrate.extractors import MLPExtractor

names = ["digits", "parity", "turns", "where", "random"]
sources = load_digits_sources(names, n_copies=3, random_state=0)
target = load_digits_target(random_state=0)
extractors = [
    (
        name,
        MLPExtractor(
            MLPClassifier(
                (64, 64, 64),
                tol=0.01,
                n_iter_no_change=5,
                max_iter=300,
                random_state=0,
            ).fit(source.X, source.y)
        ),
    )
    for name, source in sources.items()
]

# %%
# All metrics are computed from one pass over the images: each statistic that some of
# them need is accumulated once.

metrics = [
    "transrate",
    "transrate_relative",
    "logme",
    "shrunk_h_score",
    "ridge_loo",
    "nearest_neighbors",
    "lfc",
    "gbc",
]
selector = TransferSelector(extractors, scoring=metrics, refit=False)
results = selector.fit(target.X_train, target.y_train).results_

# %%
# What each candidate really reaches, on images that were kept apart.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def accuracy(row):
    extractor = dict(extractors)[row["extractor"]].with_layer(row["layer"])
    head = make_pipeline(extractor, StandardScaler(), LogisticRegression(max_iter=1000))
    return head.fit(target.X_train, target.y_train).score(target.X_test, target.y_test)


accuracies = [accuracy(row) for row in results.to_records()]

# %%
# Kendall's tau compares two rankings: 1 where they order all pairs alike, 0 where they
# have nothing to do with each other, -1 where one is the other upside down. The
# weighted form counts the top of the ranking most.

import matplotlib.pyplot as plt

from sklearn_transrate.results import MetricAgreementDisplay, TransferResults

measured = TransferResults(dict(results) | {"accuracy": accuracies})
fig, ax = plt.subplots(figsize=(6.6, 5.4), layout="constrained")
display = MetricAgreementDisplay.from_results(
    measured, metrics=[*metrics, "accuracy"], ax=ax
)
for edge in (ax.axhline, ax.axvline):
    edge(len(metrics) - 0.5, color="black", linewidth=1)
plt.show()

# %%
# The last row says which metrics to trust here. Those that leave samples out, fit a
# prior or shrink agree with one another and with the accuracies.

for metric, tau in zip(metrics, display.agreement[-1], strict=False):
    print(f"{metric:22s}{tau:6.2f}")

# %%
# When the answer would differ
# ----------------------------
#
# * With **many more samples than features**, leaving samples out and shrinking change
#   little, and the plain forms are no longer misled; see
#   :ref:`sphx_glr_auto_examples_plot_too_few_samples.py`.
# * With **classes that are no single clusters**, nearest neighbours part company with
#   all metrics that are made of means and covariances.
# * **Across models of very different width or scale**, the metrics that know no unit
#   (LogME, H-score, TransRate without an absolute distortion) keep their meaning;
#   others compare units.
