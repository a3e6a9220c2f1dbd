"""
Must I run every model on all my samples?
=========================================

No. The costly part of a ranking is the forward pass, and most candidates show on few
samples that they cannot win. A race runs all of them on few samples, drops those that
are behind by more than chance explains, and goes on with the others on more.

Eleven small networks are trained here, each on another question about images of the
digits 0 to 4. Which one should be transferred to telling the digits 5 to 9 apart?
"""

# %%
# The networks stand for the large pretrained models that you would choose from. The
# easy answer, one that tells the other digits apart, is left out.

from sklearn.neural_network import MLPClassifier

from sklearn_transrate.datasets import (
    digits_source_names,
    load_digits_sources,
    load_digits_target,
)
from sklearn_transrate.extractors import MLPExtractor

kept = [name for name in digits_source_names() if name != "digits"]
sources = load_digits_sources(kept, n_copies=2, random_state=0)
target = load_digits_target(n_train=800, random_state=0)

candidates = []
for name, source in sources.items():
    network = MLPClassifier(
        (48, 48), tol=0.02, n_iter_no_change=3, max_iter=100, random_state=0
    ).fit(source.X, source.y)
    candidates.append((name, MLPExtractor(network, layers="hidden_2")))

# %%
# A :class:`~sklearn_transrate.HalvingTransferSelector` takes them as a
# :class:`~sklearn_transrate.TransferSelector` does. With 95 % confidence, the candidate
# that would score best on all samples is still there at the end.

from sklearn_transrate import HalvingTransferSelector, TransferSelector

race = HalvingTransferSelector(candidates, random_state=0)
race.fit(target.X_train, target.y_train)
race.results_

# %%
# Each candidate has the score of the last round that it ran in, and the table says who
# dropped it. Statistics are merged from round to round, so that no sample passes
# through a network twice.

print("samples seen:", race.n_resources_)
print("candidates:  ", race.n_candidates_)
print(f"forward passes: {race.pass_share_:.0%} of all")

everything = TransferSelector(candidates).fit(target.X_train, target.y_train)
print("winner of the race:", race.best_name_)
print("winner of all samples:", everything.best_name_)

# %%
# Most of the work goes to the few that are hard to tell apart.

import matplotlib.pyplot as plt
import numpy as np

results = race.results_.sort()
seen = results["n_resources"]
colors = np.where(results["dropped_by"] == "", "#1f77b4", "#c0c0c0")
figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
ax.barh(results["extractor"], seen, color=colors)
ax.axvline(len(target.y_train), color="black", linewidth=0.8)
ax.invert_yaxis()
ax.set(xlabel="samples that passed through the network")
plt.show()

# %%
# When the answer would differ
# ----------------------------
#
# * **Candidates that are equally good** run to the end, all of them: a race cannot
#   tell apart what all samples cannot. Then any of them will do.
# * **More samples** make it cheaper: the share that is needed falls with their number,
#   because a difference takes so many samples to see and no more.
# * **Few samples**: with the first round (``min_samples``) as large as all there is, a
#   race is an ordinary ranking.
# * **Layers of one network** come from one pass. A race saves only what is over once
#   all layers of a network are dropped.
