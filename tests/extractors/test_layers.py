from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_transrate.exceptions import LayerNotFoundError
from sklearn_transrate.extractors._layers import select_layers

LAYERS = ["stem", "layer1", "layer2", "layer3", "layer4", "fc"]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("all", LAYERS),
        ("last", ["fc"]),
        ("layer2", ["layer2"]),
        (0, ["stem"]),
        (-2, ["layer4"]),
        (np.int64(1), ["layer1"]),
        ("layer*", ["layer1", "layer2", "layer3", "layer4"]),
        ("layer[34]", ["layer3", "layer4"]),
        (["fc", "stem"], ["fc", "stem"]),
        (
            ["layer*", "stem", -1],
            ["layer1", "layer2", "layer3", "layer4", "stem", "fc"],
        ),
        (("last", 5, "fc", "f?"), ["fc"]),
        (np.array(["stem", "fc"]), ["stem", "fc"]),
        (["all"], LAYERS),
    ],
)
def test_selectors_resolve_to_names(selector, expected):
    assert select_layers(selector, LAYERS) == expected


def test_all_and_last_choose_among_the_feature_layers_only():
    features = LAYERS[:-1]
    assert select_layers("all", LAYERS, features) == features
    assert select_layers("last", LAYERS, features) == ["layer4"]
    assert select_layers([-1, "f*"], LAYERS, features) == ["fc"]


@pytest.mark.parametrize("name", ["last", "all", "blocks[0]", "*", ""])
def test_a_layer_that_is_called_like_a_selector_wins(name):
    assert select_layers(name, ["other", name, "blocks0"]) == [name]


def test_names_are_compared_with_their_case():
    with pytest.raises(LayerNotFoundError):
        select_layers("Layer*", LAYERS)


def test_an_unknown_name_is_answered_with_the_nearest_in_forward_order():
    layers = [f"layer{i}" for i in (1, 2, 3, 4)] + [f"block{i}" for i in range(58)]
    with pytest.raises(LayerNotFoundError) as error:
        select_layers("layer44", layers)
    assert str(error.value) == (
        "Layer 'layer44' is not in the model. Nearest names: 'layer2', 'layer3', "
        "'layer4'. See extractor.layers_ for all 62."
    )


def test_a_name_like_no_other_gets_no_guesses():
    with pytest.raises(LayerNotFoundError) as error:
        select_layers("???", LAYERS)
    assert str(error.value) == (
        "No layer matches '???'. See extractor.layers_ for all 6."
    )


@pytest.mark.parametrize("index", [6, -7])
def test_an_index_out_of_range_is_not_a_layer(index):
    with pytest.raises(LayerNotFoundError, match=r"Expected -6 to 5: .* all 6"):
        select_layers(index, LAYERS)


@pytest.mark.parametrize(
    "selector", [None, True, np.True_, 1.0, {"fc"}, [["fc"]], b"fc"]
)
def test_other_kinds_are_refused(selector):
    with pytest.raises(TypeError, match="Expected a layer as a name"):
        select_layers(selector, LAYERS)


def test_an_empty_list_is_refused():
    with pytest.raises(ValueError, match="at least one layer"):
        select_layers([], LAYERS)


@pytest.mark.parametrize("word", ["all", "last"])
def test_a_model_of_heads_only_has_nothing_for_words_to_choose(word):
    with pytest.raises(LayerNotFoundError, match="no feature layer"):
        select_layers(word, ["output"], [])


@given(st.lists(st.text(max_size=4), unique=True, min_size=1), st.data())
def test_names_and_their_indices_choose_the_same(available, data):
    picked = data.draw(
        st.lists(st.integers(-len(available), len(available) - 1), min_size=1)
    )
    by_name = select_layers([available[i] for i in picked], available)
    assert by_name == select_layers(picked, available)
    assert len(set(by_name)) == len(by_name)
    assert set(by_name) <= set(available)
