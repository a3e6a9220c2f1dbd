"""The inputs are the very ones that the authors' programs received."""

from __future__ import annotations

import numpy as np
import pytest

from tests.golden import digest, golden, load_inputs, provenance

INPUTS = load_inputs()

# scikit-learn divides these columns by their computed norms, so the last bits may
# depend on the machine.
COMPUTED_COLUMNS = {"sklearn_diabetes"}


@pytest.mark.parametrize("name", provenance())
def test_inputs_have_the_recorded_bits(name):
    recorded, case = provenance()[name], INPUTS[name]
    X = case["X"]
    if name in COMPUTED_COLUMNS:
        # Adding zero turns -0.0 into 0.0.
        assert digest(np.round(X, 10) + 0.0) == recorded["X_rounded"]
    else:
        assert digest(X) == recorded["X"]
    assert digest(case["y"]) == recorded["y"]
    if case["t"] is not None:
        assert digest(case["t"]) == recorded["t"]


@pytest.mark.parametrize("name", provenance())
def test_inputs_have_the_recorded_sizes(name):
    recorded, case = provenance()[name], INPUTS[name]
    assert case["X"].shape == (recorded["n"], recorded["d"])
    assert str(case["X"].dtype) == recorded["dtype"]
    assert len(case["classes"]) == recorded["K"]
    np.testing.assert_array_equal(np.unique(case["y"]), np.arange(recorded["K"]))


@pytest.mark.parametrize("name", provenance())
def test_source_probabilities_are_rows_of_the_simplex(name):
    probs = INPUTS[name]["probs"]
    assert probs.shape == (len(INPUTS[name]["y"]), 7)
    assert probs.min() > 0
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=1e-15)
    # The last bit may differ between machines; sixteen digits of a mix may not.
    mix = np.dot(np.arange(1, probs.size + 1), probs.ravel()) / probs.size
    np.testing.assert_allclose(mix, provenance()[name]["probs_mix"], rtol=1e-12)


def test_there_are_no_inputs_without_a_record():
    assert set(INPUTS) == set(provenance())


def test_loading_twice_gives_separate_arrays():
    first, second = load_inputs(), load_inputs()
    for name in first:
        assert not np.shares_memory(first[name]["X"], second[name]["X"])


def test_golden_keeps_only_finite_numbers():
    values = golden("transrate_protocol_proj_eps0.0001_trace1_rank")
    assert "singleton_n90_d9_k4" not in values
    assert len(values) == len(INPUTS) - 1


def test_every_program_states_its_origin_and_kind():
    for name in ("leep", "hscore", "ncti_triple", "parc"):
        record = provenance(name)
        assert record["kind"] in {"target", "variant", "defect"}
        assert {"repository", "commit", "file", "function"} <= set(record["reference"])
