"""
Which of several image models should I use?
===========================================

Four small networks in PyTorch: two have learned to tell other digits apart, one has
learned labels drawn at random, and one nothing at all. Which of them, and which of its
blocks, is the one to start from? One forward pass of each is enough to ask.

Needs: torch

The networks are trained here, in seconds, on images of the digits 0 to 4. The task is
to tell 5 to 9 apart, from 400 labelled images.
"""

# sphinx_gallery_thumbnail_path = "images/plot_which_image_model.png"

# %%

from itertools import pairwise

import numpy as np
import torch
from torch import nn

from sklearn_transrate.datasets import load_digits_sources, load_digits_target

torch.set_num_threads(1)
sources = load_digits_sources(["digits", "random"], n_copies=3, random_state=0)
target = load_digits_target(random_state=0)
side = int(target.X_train.shape[1] ** 0.5)


def as_images(X):
    return X.reshape(-1, 1, side, side).astype(np.float32)


# %%
# Two kinds of networks: plain convolutions, and convolutions with a shortcut around
# each block.


class Block(nn.Module):
    def __init__(self, before, after, shortcut):
        super().__init__()
        self.conv = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(after)
        self.skip = nn.Conv2d(before, after, 1, stride=2) if shortcut else None

    def forward(self, x):
        y = self.norm(self.conv(x))
        return torch.relu(y if self.skip is None else y + self.skip(x))


def network(n_classes, shortcut=False):
    torch.manual_seed(0)
    widths = [1, 16, 32, 64]
    blocks = [Block(*pair, shortcut) for pair in pairwise(widths)]
    pool = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(nn.Sequential(*blocks), *pool, nn.Linear(64, n_classes))


def trained(model, source, n_epochs=6):
    X, y = torch.from_numpy(as_images(source.X)), torch.from_numpy(source.y)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(n_epochs):
        for rows in torch.randperm(len(X)).split(64):
            loss = nn.functional.cross_entropy(model(X[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval()


models = {
    "plain, digits": trained(network(5), sources["digits"]),
    "shortcuts, digits": trained(network(5, shortcut=True), sources["digits"]),
    "plain, random labels": trained(network(5), sources["random"]),
    "plain, untrained": network(5).eval(),
}

# %%
# ``layers="blocks"`` takes the output of each block, averaged over positions. Every
# block of every network is a candidate.

from sklearn_transrate import TransferSelector
from sklearn_transrate.extractors.torch import TorchExtractor

selector = TransferSelector(
    [(name, TorchExtractor(model, layers="blocks")) for name, model in models.items()],
    scoring="transrate",
).fit(as_images(target.X_train), target.y_train)
selector.results_

# %%
# The selector is now the winner at its layer. Its accuracy with a linear head, on
# images that nobody has seen, beside those of all other candidates:

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def accuracy(row):
    extractor = selector.named_extractors_[row["extractor"]].with_layer(row["layer"])
    head = make_pipeline(extractor, StandardScaler(), LogisticRegression(max_iter=1000))
    head.fit(as_images(target.X_train), target.y_train)
    return head.score(as_images(target.X_test), target.y_test)


rows = selector.results_.to_records()
accuracies = np.array([accuracy(row) for row in rows])
best = selector.best_index_
print(f"{rows[best]['candidate']}: {accuracies[best]:.3f}, best {accuracies.max():.3f}")

# %%

import matplotlib.pyplot as plt

looks = [("#0072B2", "o"), ("#009E73", "^"), ("#D55E00", "s"), ("#555555", "x")]
styles = dict(zip(models, looks, strict=True))
fig, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for row, value in zip(rows, accuracies, strict=True):
    color, marker = styles[row["extractor"]]
    is_first = row["layer"].endswith("0")
    label = row["extractor"] if is_first else None
    score = row["score_transrate"]
    ax.scatter(score, value, color=color, marker=marker, label=label)
    block = int(row["layer"].rpartition(".")[2]) + 1
    ax.annotate(f" {block}", (score, value), va="center", color=color)
ax.set(xlabel="TransRate, nats", ylabel="accuracy of a linear head")
ax.legend(title="network; numbers are blocks")
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# When the answer would differ
# ----------------------------
#
# * **With other images**, the order of networks changes before that of blocks does.
#   Rank on images of your own task, labelled as you will label them.
# * **If positions matter**, an average over them hides what the network knows: with
#   ``pooling="flatten"`` every number of a map is a feature.
# * **If all weights will be trained on**, features that are ready today say less about
#   those of tomorrow.
