"""
Which extractor should go in my pipeline?
=========================================

The features come first, so every candidate for them costs a whole search over what
comes after. A :class:`~sklearn_transrate.model_selection.TransferSelector` is a
transformer that scores its candidates without training anything on top, becomes the
best one, and leaves the search to the rest of the pipeline.

The data are 400 labelled images of the digits 5 to 9, each somewhere on a canvas. The
candidates are the pixels, two ways to compress them, and two networks that were trained
on the digits 0 to 4.
"""

# %%

from sklearn.decomposition import PCA
from sklearn.neural_network import MLPClassifier
from sklearn.random_projection import GaussianRandomProjection

from sklearn_transrate import TransferSelector
from sklearn_transrate.datasets import load_digits_sources, load_digits_target
from sklearn_transrate.extractors import MLPExtractor

target = load_digits_target(random_state=0)
sources = load_digits_sources(["digits", "inverted"], n_copies=3, random_state=0)
networks = {
    name: MLPClassifier(
        (64, 64), tol=0.01, n_iter_no_change=3, max_iter=200, random_state=0
    ).fit(source.X, source.y)
    for name, source in sources.items()
}

candidates = [
    ("pixels", "passthrough"),
    ("pca", PCA(32, random_state=0)),
    ("random", GaussianRandomProjection(64, random_state=0)),
    ("digits", MLPExtractor(networks["digits"])),
    ("inverted", MLPExtractor(networks["inverted"])),
]

# %%
# As a step of a pipeline
# -----------------------
#
# Pretrained extractors are never copied or refitted; PCA and the random projection are
# fitted to the training rows of each fold, as in any pipeline.

from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

pipeline = Pipeline(
    [
        ("features", TransferSelector(candidates, scoring="shrunk_h_score")),
        ("scale", StandardScaler()),
        ("classify", LogisticRegression(max_iter=1000)),
    ]
)
print(cross_val_score(pipeline, target.X_train, target.y_train, cv=5).mean().round(3))

# %%
# Inside a search
# ---------------
#
# The metric is a parameter like any other. This search asks whether it matters which
# one chooses the features, together with the strength of the penalty.

from sklearn.model_selection import GridSearchCV

search = GridSearchCV(
    pipeline,
    {
        "features__scoring": ["transrate", "shrunk_h_score", "logme"],
        "classify__C": [0.01, 0.1, 1.0],
    },
    cv=5,
    error_score="raise",
).fit(target.X_train, target.y_train)

chosen = search.best_estimator_.named_steps["features"]
print(search.best_params_, round(search.best_score_, 3))
print(chosen.best_name_, chosen.best_layer_)
print(round(search.score(target.X_test, target.y_test), 3))

# %%
# What it saves
# -------------
#
# The alternative is to train on every candidate. Here both are done and timed: the bars
# on the right are cross-validated accuracies, which the scores are to foretell. They do
# for the networks; the pixels, the widest of the candidates, are scored above what they
# are worth.

import time

ranking = TransferSelector(candidates, scoring="shrunk_h_score", refit=False)
start = time.perf_counter()
results = ranking.fit(target.X_train, target.y_train).results_
seconds_ranking = time.perf_counter() - start

classifier = pipeline[1:]
fitted = dict(ranking.extractors_)
accuracies = []
start = time.perf_counter()
for row in results.to_records():
    extractor = fitted[row["extractor"]]
    if row["layer"] is not None:
        extractor = extractor.with_layer(row["layer"])
    features = extractor.transform(target.X_train)
    accuracies.append(cross_val_score(classifier, features, target.y_train).mean())
seconds_training = time.perf_counter() - start
ratio = seconds_training / seconds_ranking
print(f"training on every candidate took {ratio:.0f} times as long as ranking them")

# %%

import matplotlib.pyplot as plt

order = results["score_shrunk_h_score"].argsort()
names = results["candidate"][order]
fig, axes = plt.subplots(1, 2, figsize=(8, 3), sharey=True, layout="constrained")
axes[0].barh(names, results["score_shrunk_h_score"][order], color="#0072B2")
axes[0].set(xlabel="shrunk H-score")
axes[1].barh(names, [accuracies[i] for i in order], color="#E69F00")
axes[1].set(xlabel="cross-validated accuracy")
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# When the answer would differ
# ----------------------------
#
# * A selector ranks features **for a linear head**. In front of a random forest or a
#   kernel machine, ask ``"nearest_neighbors"``, or cross-validate after all.
# * An extractor that **learns from y** (linear discriminant analysis, a network that is
#   being trained) looks better on the rows it was fitted to than it is: pass ``cv=5``
#   to the selector, which then scores held-out rows.
# * With **three candidates and a cheap classifier**, the plain grid search over the
#   extractors is just as good, and tells the truth rather than a forecast.
