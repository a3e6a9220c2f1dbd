"""
How do I rank features that I already have on disk?
===================================================

Features often exist before the question does: an embedding job wrote one file a model
last week. :class:`~sklearn_transrate.extractors.PrecomputedFeatures` reads such files
as if the model ran again, a batch at a time, and everything else stays as it is.
"""

# %%
# Some files, as a job might have left them: an archive with one array a layer for each
# model, and the labels beside them. Half precision is enough.

import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.kernel_approximation import Nystroem

folder = Path(tempfile.mkdtemp())
X, y = load_digits(return_X_y=True)
smooth = Nystroem(gamma=0.0005, n_components=128, random_state=0).fit_transform(X)
np.savez(
    folder / "linear.npz",
    narrow=PCA(4).fit_transform(X).astype(np.float16),
    wide=PCA(16).fit_transform(X).astype(np.float16),
)
np.savez(
    folder / "kernel.npz",
    early=smooth[:, :32].astype(np.float16),
    late=smooth.astype(np.float16),
)
np.save(folder / "y.npy", y)

# %%
# The inputs of the extractors are row numbers, so that subsamples, splits and
# cross-validation work as usual: ``np.arange(n)`` stands for all rows.

from sklearn_transrate import TransferSelector
from sklearn_transrate.extractors import PrecomputedFeatures

y = np.load(folder / "y.npy")
rows = np.arange(len(y))
selector = TransferSelector(
    [(path.stem, PrecomputedFeatures(path)) for path in sorted(folder.glob("*.npz"))],
    scoring=["transrate", "logme", "shrunk_h_score"],
).fit(rows, y)
selector.results_

# %%
# The winner reads its own file from now on; columns of another layer are not touched.

print(selector.transform(rows[:3]).shape)

# %%
# A table outlives the session: it goes to JSON, CSV or a data frame, and a later run
# with further models is merged into it.

from sklearn_transrate.results import TransferResults

selector.results_.to_json(folder / "ranking.json")
later = TransferSelector(
    [("pixels", PrecomputedFeatures(X))], scoring=["transrate", "logme"], refit=False
).fit(rows, y)
merged = TransferResults.from_json(folder / "ranking.json").merge(later.results_)
merged

# %%
# Which candidates are worth their width? Those that no other one beats in both.

front = merged.pareto("score_logme", "n_features")
print(front["candidate"].tolist())

# %%

import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
on_front = np.isin(merged["candidate"], front["candidate"])
for chosen, color, marker, label in (
    (on_front, "#0072B2", "o", "beaten by none"),
    (~on_front, "#D55E00", "X", "beaten in both"),
):
    ax.plot(
        merged["n_features"][chosen],
        merged["score_logme"][chosen],
        marker,
        color=color,
        markersize=9,
        label=label,
    )
for record, above in zip(merged.to_records(), on_front, strict=True):
    ax.annotate(
        record["candidate"],
        (record["n_features"], record["score_logme"]),
        xytext=(0, 8 if above else -16),
        textcoords="offset points",
        ha="center",
    )
ax.set(xlabel="number of features", ylabel="LogME, nats a sample")
ax.set_xscale("log", base=2)
ax.set_xticks(merged["n_features"], merged["n_features"].astype(int))
ax.margins(0.2)
ax.legend(frameon=False, loc="upper left")
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# When the answer would differ
# ----------------------------
#
# * If the files hold **activations before pooling**, of shape (n, channels, height,
#   width) or (n, tokens, width), they are averaged; another pooling is another
#   ranking, so store what you want to compare.
# * If models were run on **different rows**, or in another order, nothing here can
#   tell: row numbers must mean the same samples in every file.
# * **Compressed archives** work, but each array is then read as a whole.
