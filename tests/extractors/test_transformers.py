from __future__ import annotations

import copy
import os
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sklearn_transrate import TransferSelector
from sklearn_transrate.exceptions import LayerNotFoundError
from sklearn_transrate.metrics import leep_score
from sklearn_transrate.testing import check_extractor

os.environ.setdefault("HF_HUB_OFFLINE", "1")
torch = pytest.importorskip("torch", reason="PyTorch is not installed")
transformers = pytest.importorskip(
    "transformers", reason="transformers is not installed"
)

from sklearn_transrate.extractors.torch import TorchExtractor  # noqa: E402
from sklearn_transrate.extractors.transformers import (  # noqa: E402
    TransformersExtractor,
)

# What the issue promises, in the type that the model computes in.
TOLERANCE = 1e-5
WORDS = [
    "a",
    "film",
    "that",
    "is",
    "good",
    "bad",
    "long",
    "short",
    "and",
    "never",
    "dull",
]
TEXTS = [
    "a good film",
    "a film that is never dull",
    "bad",
    "long and bad and dull",
    "a short film and a good film",
]
LABELS = np.array([1, 1, 0, 0, 1])
SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, size=(5, 40, 36, 3), dtype=np.uint8)
PREPARED = RNG.normal(size=(5, 3, 32, 32)).astype(np.float32)
SOUNDS = [RNG.normal(size=n).astype(np.float32) for n in (400, 520, 640, 400, 700)]


def tokenizer(**special):
    from tokenizers import Tokenizer, models, pre_tokenizers

    names = ["<pad>", "<unk>", *WORDS]
    words = models.WordLevel({w: i for i, w in enumerate(names)}, unk_token="<unk>")
    made = Tokenizer(words)
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made,
        unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask"],
        **special,
    )


PADDING = {"pad_token": "<pad>"}


def bert(kind="BertModel", **config):
    torch.manual_seed(0)
    config = {"vocab_size": 20, "max_position_embeddings": 12, **SIZES, **config}
    return getattr(transformers, kind)(transformers.BertConfig(**config))


def gpt(kind="GPT2Model", **config):
    torch.manual_seed(0)
    return getattr(transformers, kind)(
        transformers.GPT2Config(
            vocab_size=20,
            n_embd=16,
            n_layer=3,
            n_head=2,
            n_positions=16,
            bos_token_id=1,
            eos_token_id=1,
            pad_token_id=0,
            **config,
        )
    )


def albert():
    torch.manual_seed(0)
    config = transformers.AlbertConfig(vocab_size=20, embedding_size=8, **SIZES)
    return transformers.AlbertModel(config)


def t5(kind="T5EncoderModel"):
    torch.manual_seed(0)
    config = transformers.T5Config(
        vocab_size=20,
        d_model=16,
        d_kv=8,
        d_ff=32,
        num_layers=3,
        num_heads=2,
        decoder_start_token_id=0,
    )
    return getattr(transformers, kind)(config)


def vit(kind="ViTModel", **config):
    torch.manual_seed(0)
    return getattr(transformers, kind)(
        transformers.ViTConfig(image_size=32, patch_size=8, **SIZES, **config)
    )


def swin():
    torch.manual_seed(0)
    config = transformers.SwinConfig(
        image_size=32,
        patch_size=2,
        embed_dim=8,
        depths=[1, 1],
        num_heads=[1, 2],
        window_size=4,
    )
    return transformers.SwinModel(config)


def convnext():
    torch.manual_seed(0)
    config = transformers.ConvNextConfig(
        hidden_sizes=[8, 12, 16, 20], depths=[1, 1, 2, 1], image_size=32
    )
    return transformers.ConvNextModel(config)


def wav2vec(kind="Wav2Vec2Model", **config):
    torch.manual_seed(0)
    return getattr(transformers, kind)(
        transformers.Wav2Vec2Config(
            conv_dim=(8, 8),
            conv_stride=(5, 4),
            conv_kernel=(10, 8),
            num_feat_extract_layers=2,
            num_conv_pos_embeddings=16,
            num_conv_pos_embedding_groups=2,
            feat_extract_norm="layer",
            **SIZES,
            **config,
        )
    )


def whisper(kind="WhisperModel"):
    torch.manual_seed(0)
    config = transformers.WhisperConfig(
        num_mel_bins=8,
        d_model=16,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        max_source_positions=50,
        vocab_size=20,
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=0,
        decoder_start_token_id=0,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    return getattr(transformers, kind)(config)


def image_processor():
    # By this name it needs no torchvision.
    pil = getattr(transformers, "ViTImageProcessorPil", None)
    return (pil or transformers.ViTImageProcessor)(size={"height": 32, "width": 32})


def sound_processor(**params):
    return transformers.Wav2Vec2FeatureExtractor(return_attention_mask=True, **params)


def own_states(model, **inputs):
    """What the framework itself returns, asked for in its own way."""
    model = copy.deepcopy(model).eval()
    with torch.no_grad():
        output = model(**inputs, output_hidden_states=True)
    return [state.numpy() for state in output.hidden_states]


def averages(states, mask=None):
    return np.concatenate(
        [np.mean(state, axis=1, where=mask is None or mask) for state in states],
        axis=1,
    )


def counted(model):
    """Return a list that grows with every run of a block's attention."""
    count = []
    for part in model.modules():
        if type(part).__name__ in ("BertAttention", "ViTAttention", "GPT2Attention"):
            part.register_forward_hook(lambda *_: count.append(1))
    return count


# -- hidden states -------------------------------------------------------------


@pytest.mark.parametrize("build", [bert, gpt, albert, t5])
def test_text_has_the_frameworks_hidden_states(build):
    model, made = build(), tokenizer(**PADDING)
    encoded = made(TEXTS, padding=True, return_tensors="pt")
    mask = encoded["attention_mask"].numpy()[:, :, None] != 0
    expected = averages(own_states(model, **encoded), mask)
    extractor = TransformersExtractor(model, preprocess=made).fit(TEXTS)
    assert extractor.selected_layers_ == [f"hidden_states.{i}" for i in range(4)]
    assert_allclose(extractor.transform(TEXTS), expected, atol=TOLERANCE)


@pytest.mark.parametrize("build", [vit, swin])
def test_images_have_the_frameworks_hidden_states(build):
    model = build()
    expected = averages(own_states(model, pixel_values=torch.from_numpy(PREPARED)))
    features = TransformersExtractor(model).fit_transform(PREPARED)
    assert_allclose(features, expected, atol=TOLERANCE)


def test_maps_of_convolutions_are_averaged_over_positions():
    model = convnext()
    states = own_states(model, pixel_values=torch.from_numpy(PREPARED))
    expected = np.concatenate([state.mean(axis=(2, 3)) for state in states], axis=1)
    extractor = TransformersExtractor(model).fit(PREPARED)
    assert len(extractor.selected_layers_) == 5
    assert_allclose(extractor.transform(PREPARED), expected, atol=TOLERANCE)


def test_sound_has_the_frameworks_hidden_states_without_padding():
    model = wav2vec()
    extractor = TransformersExtractor(model, preprocess=sound_processor())
    features = extractor.fit_transform(SOUNDS)
    for row, sound in zip(features, SOUNDS, strict=True):
        wave = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
        states = own_states(model, input_values=torch.from_numpy(wave)[None])
        assert_allclose(row, averages(states)[0], atol=TOLERANCE)


def test_encoders_of_sound_with_a_fixed_length():
    model = whisper()
    made = transformers.WhisperFeatureExtractor(feature_size=8, chunk_length=1)
    ready = made(SOUNDS, sampling_rate=16000, return_tensors="pt").input_features
    states = own_states(model.get_encoder(), input_features=ready)
    extractor = TransformersExtractor(model, preprocess=made).fit(SOUNDS)
    assert_allclose(extractor.transform(SOUNDS), averages(states), atol=TOLERANCE)
    assert_allclose(
        TransformersExtractor(model).transform(ready), averages(states), atol=TOLERANCE
    )


@pytest.mark.parametrize(("pooling", "axis"), [("cls", 0), ("last_token", -1)])
def test_tokens_are_pooled_without_padding(pooling, axis):
    model, made = gpt(), tokenizer(**PADDING)
    encoded = made(TEXTS, padding=True, return_tensors="pt")
    states = own_states(model, **encoded)
    extractor = TransformersExtractor(model, "last", pooling, made).fit(TEXTS)
    features = extractor.transform(TEXTS)
    assert extractor.pooling_ == {"hidden_states.3": pooling}
    for row, length in enumerate(encoded["attention_mask"].sum(dim=1)):
        wanted = states[-1][row, :length][axis]
        assert_allclose(features[row], wanted, atol=TOLERANCE)


def test_the_encoder_of_a_pair_is_used():
    pair = t5("T5ForConditionalGeneration")
    alone = t5("T5EncoderModel")
    alone.load_state_dict(pair.state_dict(), strict=False)
    both = [
        TransformersExtractor(m, preprocess=tokenizer(**PADDING)) for m in (pair, alone)
    ]
    features = [extractor.fit_transform(TEXTS) for extractor in both]
    assert_array_equal(*features)
    assert features[0].shape == (5, 64)


def test_classifiers_with_two_halves_have_states_of_both():
    config = transformers.BartConfig(
        vocab_size=20,
        d_model=16,
        encoder_layers=2,
        decoder_layers=3,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        pad_token_id=0,
        eos_token_id=1,
        num_labels=3,
    )
    model = transformers.BartForSequenceClassification(config)
    ids = np.tile([5, 6, 7, 1], (4, 1))
    extractor = TransformersExtractor(model).fit(ids)
    names = [f"encoder_hidden_states.{i}" for i in range(3)]
    names += [f"decoder_hidden_states.{i}" for i in range(4)]
    assert sorted(extractor.selected_layers_) == sorted(names)
    assert extractor.with_layer("proba").transform(ids).shape == (4, 3)


def test_the_axis_of_states_is_not_guessed_from_a_head():
    # As many labels as tokens: the head's width says nothing about the states.
    model = vit("ViTForImageClassification", num_labels=17)
    base = vit()
    model.vit.load_state_dict(base.state_dict(), strict=False)
    states = own_states(model, pixel_values=torch.from_numpy(PREPARED))
    features = TransformersExtractor(model, "last").fit_transform(PREPARED)
    assert_allclose(features, states[-1].mean(axis=1), atol=TOLERANCE)


# -- one pass, and nothing left behind -----------------------------------------


def test_all_states_come_from_one_pass_that_ends_early():
    model = bert()
    count = counted(model)
    made = tokenizer(**PADDING)
    extractor = TransformersExtractor(model, preprocess=made).fit(TEXTS)
    assert len(count) == 3
    count.clear()
    extractor.transform(TEXTS)
    assert len(count) == 3
    for layer, runs in [("hidden_states.0", 0), ("hidden_states.1", 1), ("output", 3)]:
        count.clear()
        extractor.with_layer(layer).transform(TEXTS)
        assert len(count) == runs


def test_states_that_no_module_returns_need_the_whole_pass():
    model = gpt()
    count = counted(model)
    ids = np.arange(20).reshape(5, 4) % 12
    extractor = TransformersExtractor(model, "last").fit(ids)
    count.clear()
    extractor.transform(ids)
    assert len(count) == 3


def test_the_model_is_left_as_it_was():
    model = bert()
    hooks = [len(part._forward_hooks) for part in model.modules()]
    model.train()
    extractor = TransformersExtractor(model, preprocess=tokenizer(**PADDING))
    extractor.fit(TEXTS).transform(TEXTS)
    assert model.training
    assert [len(part._forward_hooks) for part in model.modules()] == hooks
    # The framework's own hooks, were they left, would not let it.
    pickle.dumps(model)


def test_hooks_that_were_there_stay():
    model = bert()
    with torch.no_grad():
        model(torch.ones(1, 3, dtype=torch.long), output_hidden_states=True)
    hooks = [len(part._forward_hooks) for part in model.modules()]
    TransformersExtractor(model, preprocess=tokenizer(**PADDING)).transform(TEXTS)
    assert [len(part._forward_hooks) for part in model.modules()] == hooks


# -- layers --------------------------------------------------------------------


def test_modules_are_layers_too():
    model, made = bert(), tokenizer(**PADDING)
    extractor = TransformersExtractor(model, "*layer.1", preprocess=made).fit(TEXTS)
    assert extractor.selected_layers_ == ["encoder.layer.1"]
    state = extractor.with_layer("hidden_states.2").transform(TEXTS)
    assert_array_equal(extractor.transform(TEXTS), state)
    encoded = made(TEXTS, padding=True, return_tensors="pt")
    plain = TorchExtractor(model, "encoder.layer.1").transform(dict(encoded))
    assert_allclose(plain, state, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("last", ["hidden_states.3"]),
        ("blocks", ["hidden_states.1", "hidden_states.2", "hidden_states.3"]),
        ("hidden_states.[02]", ["hidden_states.0", "hidden_states.2"]),
        ("pooler", ["pooler"]),
        (["output", "all"], ["output", *[f"hidden_states.{i}" for i in range(4)]]),
    ],
)
def test_layers_are_chosen_by_word_and_glob(layers, expected):
    extractor = TransformersExtractor(bert(), layers, preprocess=tokenizer(**PADDING))
    assert extractor.selected_layers_ == expected
    assert extractor.fit(TEXTS).selected_layers_ == expected
    assert extractor.fit(TEXTS).layers_[-1] == "output"


def test_a_state_beyond_the_last_is_not_found():
    extractor = TransformersExtractor(bert(), "hidden_states.4")
    with pytest.raises(LayerNotFoundError, match=r"'hidden_states.4' is not in"):
        extractor.fit(np.ones((2, 3), dtype=int))


# -- heads ---------------------------------------------------------------------


def test_proba_is_the_softmax_of_the_logits():
    model = bert("BertForSequenceClassification", num_labels=4)
    extractor = TransformersExtractor(
        model, ["classifier", "output", "proba"], preprocess=tokenizer(**PADDING)
    ).fit(TEXTS)
    whole = extractor.transform(TEXTS)
    logits, output, proba = whole[:, :4], whole[:, 4:8], whole[:, 8:]
    assert_array_equal(logits, output)
    wanted = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert_allclose(proba, wanted, atol=TOLERANCE)
    selector = TransferSelector(
        [("bert", extractor.with_layer("proba"))], scoring="leep"
    )
    assert selector.fit(TEXTS, LABELS).best_score_ == pytest.approx(
        leep_score(proba, LABELS)
    )


def test_proba_of_several_labels_is_the_sigmoid():
    model = vit(
        "ViTForImageClassification",
        num_labels=3,
        problem_type="multi_label_classification",
    )
    extractor = TransformersExtractor(model, ["output", "proba"]).fit(PREPARED)
    whole = extractor.transform(PREPARED)
    assert_allclose(whole[:, 3:], 1 / (1 + np.exp(-whole[:, :3])), atol=TOLERANCE)


def test_models_without_classes_have_no_proba():
    extractor = TransformersExtractor(bert(), "proba", preprocess=tokenizer(**PADDING))
    with pytest.raises(LayerNotFoundError, match="'proba' gives no features"):
        extractor.fit(TEXTS)


# -- inputs --------------------------------------------------------------------


@pytest.fixture
def text_extractor():
    made = tokenizer(**PADDING)
    return TransformersExtractor(bert(), preprocess=made, batch_size=2).fit(TEXTS)


def containers_of_texts():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    polars = pytest.importorskip("polars", reason="polars is not installed")
    yield from (tuple(TEXTS), np.array(TEXTS), np.array(TEXTS, dtype=object))
    yield from (pandas.Series(TEXTS, index=range(5, 0, -1)), polars.Series(TEXTS))
    yield from (pandas.DataFrame({"t": TEXTS}), polars.DataFrame({"t": TEXTS}))
    yield from ({"anything": TEXTS, "label": [0] * 5}, {"text": TEXTS, "id": [0] * 5})
    yield ((TEXTS[i : i + 2], LABELS[i : i + 2]) for i in range(0, 5, 2))


def test_texts_may_come_in_any_container(text_extractor):
    expected = text_extractor.transform(TEXTS)
    for X in containers_of_texts():
        assert_allclose(text_extractor.transform(X), expected, atol=TOLERANCE)


def test_hugging_face_datasets_are_rows(text_extractor):
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    expected = text_extractor.transform(TEXTS)
    whole = datasets.Dataset.from_dict({"text": TEXTS, "label": LABELS})
    for X in (whole, whole["text"], whole.with_format("torch")):
        assert_array_equal(text_extractor.fit(X).transform(X), expected)
    parts = list(text_extractor.iter_features(whole.to_iterable_dataset()))
    features = [np.concatenate(list(f.values()), axis=1) for f, _ in parts]
    assert_array_equal(np.concatenate(features), expected)
    assert [label for _, labels in parts for label in labels] == list(LABELS)


def test_tokens_may_come_ready(text_extractor):
    expected = text_extractor.transform(TEXTS)
    for kind in ("pt", "np", None):
        encoded = tokenizer(**PADDING)(TEXTS, padding=True, return_tensors=kind)
        assert_allclose(text_extractor.transform(encoded), expected, atol=TOLERANCE)
        with_labels = dict(encoded) | {"labels": LABELS}
        assert_allclose(text_extractor.transform(with_labels), expected, atol=TOLERANCE)


def test_texts_are_cut_to_what_the_model_takes(text_extractor):
    long = " ".join(WORDS * 5)
    features = text_extractor.transform([long, "a"])
    short = " ".join((WORDS * 5)[:12])
    assert_allclose(features, text_extractor.transform([short, "a"]), atol=TOLERANCE)


def test_an_empty_text_has_features(text_extractor):
    features = text_extractor.transform(["", "a", ""])
    assert np.isfinite(features).all()
    assert_allclose(features[0], text_extractor.transform([""])[0], atol=TOLERANCE)


def test_tokenizers_that_cannot_pad_are_helped():
    model = gpt()
    padding = TransformersExtractor(model, preprocess=tokenizer(**PADDING))
    plain = tokenizer(eos_token="<unk>")
    assert plain.pad_token is None
    extractor = TransformersExtractor(model, preprocess=plain)
    assert_allclose(
        extractor.fit_transform(TEXTS), padding.fit_transform(TEXTS), atol=TOLERANCE
    )
    assert plain.pad_token is None


def test_missing_texts_are_named(text_extractor):
    with pytest.raises(TypeError, match="Expected texts, got None of type NoneType"):
        text_extractor.transform(["a", None])
    with pytest.raises(ValueError, match=r"named 'input_ids', .* got \['a', 'b'\]"):
        text_extractor.transform({"a": TEXTS, "b": TEXTS})


def test_images_may_come_in_any_container(tmp_path):
    pil = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    made = image_processor()
    model = vit()
    ready = made(images=list(PIXELS), return_tensors="pt").pixel_values
    expected = TransformersExtractor(model).transform(ready)
    images = [pil.fromarray(pixels) for pixels in PIXELS]
    paths = [tmp_path / f"{i}.png" for i in range(5)]
    for image, path in zip(images, paths, strict=True):
        image.save(path)
    extractor = TransformersExtractor(model, preprocess=made, batch_size=2).fit(images)
    for X in (
        images,
        paths,
        [str(path) for path in paths],
        [image.convert("RGBA") for image in images],
        list(PIXELS),
        PIXELS,
        torch.from_numpy(PIXELS),
        {"image": images, "label": LABELS},
        ready,
        {"pixel_values": ready},
    ):
        assert_allclose(extractor.transform(X), expected, atol=TOLERANCE)


def test_images_may_be_preprocessed_one_by_one():
    pytest.importorskip("PIL.Image", reason="Pillow is not installed")

    def halve(pixels):
        return torch.from_numpy(pixels[:32, :32].transpose(2, 0, 1) / 255)

    model = vit()
    ready = np.stack([halve(pixels) for pixels in PIXELS]).astype(np.float32)
    expected = TransformersExtractor(model).transform(ready)
    features = TransformersExtractor(model, preprocess=halve).transform(PIXELS)
    assert_allclose(features, expected, atol=TOLERANCE)


def test_sounds_may_come_with_their_rate():
    model = wav2vec()
    extractor = TransformersExtractor(model, preprocess=sound_processor()).fit(SOUNDS)
    expected = extractor.transform(SOUNDS)
    rows = [{"array": wave, "sampling_rate": 16000} for wave in SOUNDS]
    assert_array_equal(extractor.transform(rows), expected)
    assert_array_equal(extractor.transform({"audio": rows, "id": range(5)}), expected)
    with pytest.raises(ValueError, match=r"sounds with 16000 samples a second.*8000"):
        extractor.transform([{"array": SOUNDS[0], "sampling_rate": 8000}])
    with pytest.raises(ValueError, match=r"one axis, got shape \(2, 9\)"):
        extractor.transform([np.zeros((2, 9))])


def test_raw_inputs_need_something_to_process_them():
    with pytest.raises(
        ValueError, match=r"BertModel takes 'input_ids', .* a tokenizer"
    ):
        TransformersExtractor(bert()).fit(TEXTS)
    with pytest.raises(ValueError, match=r"ViTModel takes .* an image processor"):
        TransformersExtractor(vit()).fit(PIXELS)


def test_other_models_are_refused():
    for wrong in (torch.nn.Linear(2, 2), None, bert):
        with pytest.raises(TypeError, match="expected a PreTrainedModel"):
            TransformersExtractor(wrong).fit(TEXTS)
        assert dir(TransformersExtractor(wrong))


# -- models by name ------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved")
    bert("BertForSequenceClassification", num_labels=4).save_pretrained(path)
    tokenizer(**PADDING).save_pretrained(path)
    return str(path)


def test_a_model_is_loaded_by_name_with_its_head_and_tokenizer(folder):
    extractor = TransformersExtractor(folder, ["blocks", "proba"]).fit(TEXTS)
    model = bert("BertForSequenceClassification", num_labels=4)
    wanted = TransformersExtractor(
        model, ["blocks", "proba"], preprocess=tokenizer(**PADDING)
    )
    assert_allclose(extractor.transform(TEXTS), wanted.transform(TEXTS), atol=TOLERANCE)


def test_what_was_loaded_is_shared_and_not_pickled(folder):
    extractor = TransformersExtractor(folder).fit(TEXTS)
    twin = clone(extractor)
    assert twin._root() is extractor._root()
    pickled = pickle.dumps(extractor)
    assert len(pickled) < 20_000
    assert_array_equal(
        pickle.loads(pickled).transform(TEXTS), extractor.transform(TEXTS)
    )


def test_a_loaded_model_brings_its_tokenizer(folder):
    model = transformers.BertModel.from_pretrained(folder)
    features = TransformersExtractor(model).fit_transform(TEXTS)
    named = TransformersExtractor(model, preprocess=folder).fit_transform(TEXTS)
    assert_array_equal(features, named)


def test_a_folder_without_a_tokenizer_is_named(tmp_path):
    bert().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="no tokenizer or processor in"):
        TransformersExtractor(str(tmp_path)).fit(TEXTS)


# -- scikit-learn --------------------------------------------------------------

CASES = {
    "text": (bert, {"preprocess": tokenizer(**PADDING)}, TEXTS),
    "generator": (gpt, {"preprocess": tokenizer(eos_token="<unk>")}, TEXTS),
    "shared": (albert, {}, np.arange(24).reshape(6, 4) % 12),
    "image": (vit, {}, PREPARED),
    # Of one length: convolutions before the first state see the padding.
    "sound": (wav2vec, {"preprocess": sound_processor()}, [s[:400] for s in SOUNDS]),
}


@pytest.mark.parametrize("case", CASES)
def test_the_laws_of_extractors_hold(case):
    build, params, X = CASES[case]
    check_extractor(TransformersExtractor(build(), **params).fit(X), X)


def test_fingerprints_are_those_of_copies():
    made = tokenizer(**PADDING)
    extractor = TransformersExtractor(bert(), preprocess=made)
    mark = extractor.fingerprint()
    assert extractor.fit(TEXTS).fingerprint() == mark
    assert TransformersExtractor(bert(), preprocess=made).fingerprint() == mark
    assert pickle.loads(pickle.dumps(extractor)).fingerprint() == mark
    others = {
        TransformersExtractor(bert(hidden_act="relu"), preprocess=made).fingerprint(),
        TransformersExtractor(bert(), "last", preprocess=made).fingerprint(),
        TransformersExtractor(bert(), pooling="cls", preprocess=made).fingerprint(),
        TransformersExtractor(bert()).fingerprint(),
        mark,
    }
    assert len(others) == 5


def test_models_that_torch_does_not_pickle_are_packed():
    model = wav2vec()
    with pytest.raises(RuntimeError, match="only supported through state_dict"):
        pickle.dumps(model)
    extractor = TransformersExtractor(model, preprocess=sound_processor()).fit(SOUNDS)
    twin = pickle.loads(pickle.dumps(extractor))
    assert twin.layers_ == extractor.layers_
    assert twin.fingerprint() == extractor.fingerprint()
    assert_array_equal(twin.transform(SOUNDS), extractor.transform(SOUNDS))


def test_a_selector_ranks_hidden_states():
    extractor = TransformersExtractor(bert(), preprocess=tokenizer(**PADDING))
    selector = TransferSelector([("bert", extractor)], scoring=["transrate", "h_score"])
    selector.fit(TEXTS, LABELS)
    layers = [f"hidden_states.{i}" for i in range(4)]
    assert list(selector.results_["layer"]) == layers
    assert selector.best_estimator_.transform(TEXTS).shape == (5, 16)
