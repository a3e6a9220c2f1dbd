"""
Which layer of my network should I use?
=======================================

A network that was trained on one task offers each of its layers as features for
another. The last one is the usual choice, and not always the best: late layers keep
what their own task needs and drop the rest.

Three small networks are trained here on images of the digits 0 to 4, each on another
question. Then all their layers are ranked for telling the digits 5 to 9 apart, which
none of the networks has seen, from 400 labelled images.
"""

# %%
# The source tasks differ in how much they have to do with the target: telling other
# digits apart, telling where on the canvas a digit lies, and labels drawn at random.

from sklearn.neural_network import MLPClassifier

from sklearn_transrate.datasets import load_digits_sources, load_digits_target

sources = load_digits_sources(["digits", "where", "random"], n_copies=3, random_state=0)
target = load_digits_target(random_state=0)

networks = {
    name: MLPClassifier(
        (64, 64, 64, 64), tol=0.01, n_iter_no_change=5, max_iter=300, random_state=0
    ).fit(source.X, source.y)
    for name, source in sources.items()
}

# %%
# An :class:`~sklearn_transrate.extractors.MLPExtractor` offers the hidden layers of a
# fitted network, all from one forward pass. Every layer of every network becomes a
# candidate. With 400 samples there are 80 a class, hardly more than a layer is wide, so
# the form of TransRate to ask is the one that leaves each sample out,
# :doc:`transrate </metrics/transrate>`.

from sklearn_transrate import TransferSelector
from sklearn_transrate.extractors import MLPExtractor

selector = TransferSelector(
    [(name, MLPExtractor(network)) for name, network in networks.items()],
    scoring="transrate",
).fit(target.X_train, target.y_train)
selector.results_

# %%
# The selector now is the winning layer, and can be used like any transformer.

print(selector.best_name_, selector.best_layer_)
print(selector.transform(target.X_test).shape)

# %%
# Was it right? Train a linear classifier on every candidate and test it on images
# that neither the ranking nor the training saw.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def accuracy(extractor, layer):
    head = make_pipeline(
        extractor.with_layer(layer), StandardScaler(), LogisticRegression(max_iter=1000)
    )
    return head.fit(target.X_train, target.y_train).score(target.X_test, target.y_test)


extractors = selector.named_extractors_
results = selector.results_
accuracies = [
    accuracy(extractors[row["extractor"]], row["layer"]) for row in results.to_records()
]

# %%
# A :class:`~sklearn_transrate.results.LayerDisplay` draws a score along depth. The
# accuracies are one more column, so that they can be drawn in the same way.

import matplotlib.pyplot as plt

from sklearn_transrate.results import LayerDisplay, TransferResults

measured = TransferResults(dict(results) | {"score_accuracy": accuracies})
fig, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
for ax, metric in zip(axes, ["transrate", "accuracy"], strict=True):
    LayerDisplay.from_results(measured, metric=metric, ax=ax)
axes[1].set_ylabel("test accuracy of a linear head")
plt.show()

# %%
# The chosen layer is not the best one, but close to it: with 496 test images, one
# accuracy has a standard error of about 0.02.

chosen = accuracies[selector.best_index_]
print(f"chosen {chosen:.3f}, best {max(accuracies):.3f}, worst {min(accuracies):.3f}")

# %%
# When the answer would differ
# ----------------------------
#
# * With **more labelled samples**, layers that keep more of the input gain: a linear
#   head can use many directions once there are enough samples to find them.
# * If all weights will be **fine-tuned**, an early layer that ranks high says that
#   the later ones are in the way, not that they cannot be adapted.
# * With **hundreds of samples a class**, the plain ``"transrate"`` needs no second
#   look at the rows and can be computed on a stream. With as few as here it is misled:
#   it credits a layer for every direction that a small class happens not to use.

plain = TransferSelector(selector.extractors, refit=False).fit(
    target.X_train, target.y_train
)
print(plain.results_.best()["candidate"])
