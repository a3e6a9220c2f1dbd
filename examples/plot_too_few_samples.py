"""
When is a score only noise?
===========================

A metric reads two things in features: what they say of the labels, and how many of them
there are for so few samples. This example scores features that say nothing at all, with
more and more samples, and finds out which metrics notice.
"""

# %%
# Labels of five classes, and 64 features drawn without looking at them. An honest score
# of these is the one that a metric gives to knowing nothing.

import numpy as np

from sklearn_transrate.metrics import score_all

rng = np.random.default_rng(0)
n_features, n_classes = 64, 5
sizes = [50, 100, 200, 400, 800, 1600, 3200, 6400]
X = rng.standard_normal((sizes[-1], n_features))
y = rng.integers(n_classes, size=len(X))

metrics = [
    "transrate_relative",
    "h_score",
    "shrunk_h_score",
    "transrate",
    "ridge_loo",
]

# %%
# With fewer samples than features the H-score sits at its bound, whatever the labels,
# and says so in a warning; it is expected here.

import warnings

from sklearn_transrate.exceptions import SaturatedScoreWarning

with warnings.catch_warnings():
    warnings.simplefilter("ignore", SaturatedScoreWarning)
    scores = [score_all(X[:n], y[:n], metrics) for n in sizes]

print("samples", *(f"{name:>21s}" for name in metrics))
for n, row in zip(sizes, scores, strict=True):
    print(f"{n:7d}", *(f"{value:21.3f}" for value in row.values()))

# %%
# To see them together, each is drawn as a share of what it gives to features that are
# as good as can be: the labels themselves, one column a class, and a little noise.

hot = np.eye(n_classes)[y] + 0.05 * rng.standard_normal((len(y), n_classes))
best = score_all(hot, y, metrics)
nothing = {"ridge_loo": 1 / n_classes}


def share(name, value):
    floor = nothing.get(name, 0.0)
    return (value - floor) / (best[name] - floor)


# %%

import matplotlib.pyplot as plt

styles = {
    "transrate_relative": ("#0072B2", "o", "-"),
    "h_score": ("#D55E00", "s", "-"),
    "shrunk_h_score": ("#E69F00", "D", "--"),
    "transrate": ("#009E73", "^", ":"),
    "ridge_loo": ("#CC79A7", "v", ":"),
}
fig, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
for name, (color, marker, line) in styles.items():
    shares = [share(name, row[name]) for row in scores]
    label = name.replace("_", " ")
    ax.plot(sizes, shares, color=color, marker=marker, linestyle=line, label=label)
ax.axvline(n_features, color="grey", linewidth=0.8)
ax.annotate("n = d", (n_features, 0.4), xytext=(4, 0), textcoords="offset points")
ax.set(xlabel="samples", ylabel="score of noise (best is 1)", xscale="log")
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Scores that describe the samples by their own moments are high for noise until there
# are many samples a class; those that leave samples out stay where they belong.
#
# When the answer would differ
# ----------------------------
#
# * **Candidates of one width on the same samples** are all lifted alike, and the plain
#   metrics may still rank them well. It is the comparison across widths that suffers.
# * **Features of real networks** lie in far fewer directions than they have columns, so
#   what counts is not the width but the rank that the spectrum really uses.
# * A **permutation** shows it for your own data: score the features again with the
#   labels shuffled, and compare only what is left above that.

shuffled = rng.permutation(y[:400])
print(score_all(X[:400], shuffled, ["transrate", "transrate_relative"]))
