"""
How do I score a stream?
========================

Features of a million images do not fit in memory, and come in batches, perhaps on
several machines. Many metrics need no more than sums over the rows: they take batches
by ``partial_fit``, can be asked for the score at any time, and what two workers saw is
merged exactly. TransRate keeps some of the rows beside its sums, to code them by all.
"""

# %%
# Batches of images, as a loader would yield them, and a network that makes features.

import numpy as np
from sklearn.neural_network import MLPClassifier

from sklearn_transrate.datasets import load_digits_sources
from sklearn_transrate.extractors import MLPExtractor

task = load_digits_sources(["digits"], digits=range(10), random_state=0)["digits"]
network = MLPClassifier((32, 32), tol=0.01, n_iter_no_change=3, random_state=0)
network.fit(task.X[::4], task.y[::4] % 2)
extractor = MLPExtractor(network)


def batches(worker, n_workers=2, size=100):
    order = np.random.default_rng(0).permutation(len(task.y))
    own = order[worker::n_workers]
    for start in range(0, len(own), size):
        rows = own[start : start + size]
        yield task.X[rows], task.y[rows]


# %%
# One pass, all layers
# --------------------
#
# ``iter_features`` yields the features of every layer of a batch. Nothing larger than
# a batch is held. New classes may appear in any batch.

from sklearn_transrate.metrics import HScore, LogME, TransRate

layers = extractor.selected_layers_
streams = [{layer: TransRate() for layer in layers} for worker in range(2)]
curve = {layer: [] for layer in layers}
seen = []
for worker, metrics in enumerate(streams):
    for features, y in extractor.iter_features(batches(worker)):
        for layer, metric in metrics.items():
            metric.partial_fit(features[layer], y)
            if worker == 0:
                curve[layer].append(metric.score_)
        if worker == 0:
            seen.append(metric.n_samples_seen_)

# %%
# What two workers saw, merged, is what one would have seen, to the last digits.

whole = {layer: streams[0][layer].merge(streams[1][layer]) for layer in layers}
at_once = TransRate().fit(extractor.with_layer("hidden_2").transform(task.X), task.y)
print(whole["hidden_2"].n_samples_seen_, whole["hidden_2"].score_)
print(at_once.n_samples_seen_, at_once.score_)

# %%
# Statistics first, metrics later
# -------------------------------
#
# To decide on the metric afterwards, keep the statistics instead: they can be written
# to a file, and any metric that they cover reads its score from them.

from sklearn_transrate.statistics import ClassMoments, accumulate

filled = accumulate(
    extractor.iter_features(batches(0, n_workers=1)), {"moments": ClassMoments.empty()}
)
for layer, statistics in filled.items():
    scores = [m.evaluate(statistics).score for m in (LogME(), HScore())]
    print(layer, *(f"{score:.4f}" for score in scores))

# %%
# How many rows are enough?
# -------------------------
#
# The score of the first rows is too low: few of them know little of one another. (The
# plug-in forms of TransRate, which describe rows by themselves, start too high.) Either
# way, compare candidates after the same number of rows.

import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
for layer, color, line in (("hidden_1", "#0072B2", "-"), ("hidden_2", "#D55E00", "--")):
    ax.plot(seen, curve[layer], color=color, linestyle=line, label=layer)
    ax.axhline(whole[layer].score_, color=color, linewidth=0.8)
ax.set(xlabel="rows seen by the first worker", ylabel="TransRate, nats")
ax.plot([], [], color="grey", linewidth=0.8, label="both workers, all rows")
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# When the answer would differ
# ----------------------------
#
# * Metrics that **look at the rows again** (leave-one-out ridge, nearest neighbours,
#   LEEP, SFDA, ...) also take batches, but keep the rows; each one's page says so.
#   TransRate keeps ``max_samples`` of them, its forms "corrected" and "relative" none.
# * If batches come **sorted by class**, the final score is the same, but the curve says
#   nothing before the last class has come.
# * On **features wider than long**, ``fit`` on sparse features works in axes of its own
#   and cannot be continued by ``partial_fit``; stream them from the first batch on.
