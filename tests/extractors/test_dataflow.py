"""Against the definitions, on random graphs of operations."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sklearn_transrate.extractors._dataflow import (
    Operation,
    block_tensors,
    copied_tensors,
    data_tensors,
    final_activation,
    head_tensors,
    needed_operations,
)

KINDS = ["Conv", "Relu", "Add", "Shape", "MatMul", "Dropout"]


@st.composite
def graphs(draw):
    """Operations that read what was made before, or a constant."""
    n = draw(st.integers(1, 8))
    operations = []
    for i in range(n):
        known = ["x", "constant", *(f"t{j}" for j in range(i))]
        inputs = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3))
        kind = draw(st.sampled_from(KINDS))
        operations.append(Operation(kind, tuple(inputs), (f"t{i}",)))
    return operations


def chain(*kinds):
    """One operation after another, from "x" to the name of the last."""
    names = ["x", *(f"{i}.{kind}" for i, kind in enumerate(kinds))]
    pairs = zip(kinds, names, names[1:], strict=False)
    return [Operation(kind, (read,), (made,)) for kind, read, made in pairs]


def all_names(operations):
    return {name for step in operations for name in step.outputs}


@given(graphs())
def test_tensors_carry_data_if_a_path_of_numbers_leads_there(operations):
    def carries(name):
        if name == "x":
            return True
        made_by = [step for step in operations if name in step.outputs]
        return any(
            step.kind != "Shape" and any(map(carries, step.inputs)) for step in made_by
        )

    expected = {name for name in all_names(operations) if carries(name)}
    assert set(data_tensors(operations, ["x"])) == expected


@given(graphs(), st.data())
def test_needed_operations_are_enough_and_none_is_too_many(operations, data):
    wanted = data.draw(
        st.lists(st.sampled_from(sorted(all_names(operations))), min_size=1)
    )
    positions, tensors = needed_operations(operations, wanted)
    assert positions == sorted(positions)
    kept = [operations[i] for i in positions]
    made = {"x", "constant"}
    for step in kept:
        assert made.issuperset(step.inputs)
        made.update(step.outputs)
    assert made.issuperset(wanted)
    for step in kept:
        others = [other for other in kept if other is not step]
        read = set(wanted).union(*(other.inputs for other in others))
        assert read & set(step.outputs)
    assert tensors == set(wanted).union(*(step.inputs for step in kept))


@given(graphs())
def test_every_path_to_the_output_passes_a_block(operations):
    output = operations[-1].outputs[0]
    order = [name for step in operations for name in step.outputs]
    blocks = block_tensors(operations, ["x"], [output])
    assert blocks == sorted(set(blocks), key=order.index)
    for block in blocks:
        cut = [step for step in operations if block not in step.outputs]
        assert output not in data_tensors(cut, ["x"])


def test_a_block_ends_before_the_next_weights():
    operations = chain("Relu", "Conv", "BatchNormalization", "Relu", "Conv", "Flatten")
    blocks = block_tensors(operations, ["x"], ["5.Flatten"])
    assert blocks == ["3.Relu", "5.Flatten"]


def test_the_inside_of_a_residual_block_is_no_block():
    operations = [
        Operation("Conv", ("x",), ("stem",)),
        Operation("Conv", ("stem",), ("inner",)),
        Operation("Add", ("stem", "inner"), ("sum",)),
        Operation("Relu", ("sum",), ("out",)),
    ]
    assert block_tensors(operations, ["x"], ["out"]) == ["stem", "out"]


def test_a_mask_that_all_blocks_read_does_no_harm():
    operations = [
        Operation("MatMul", ("x",), ("first",)),
        Operation("Mul", ("first", "mask"), ("masked",)),
        Operation("MatMul", ("masked",), ("second",)),
        Operation("Mul", ("second", "mask"), ("out",)),
    ]
    assert block_tensors(operations, ["x", "mask"], ["out"]) == ["masked", "out"]


def test_a_copy_is_not_what_a_block_is_called():
    operations = chain("Dense", "Relu", "Dropout", "Dense")
    blocks = block_tensors(operations, ["x"], ["3.Dense"])
    assert blocks == ["1.Relu", "3.Dense"]
    assert copied_tensors(operations) == {"2.Dropout"}


def test_heads_are_linear_and_what_follows_number_by_number():
    for end, heads in (
        (["Gemm"], ["2.Gemm"]),
        (["MatMul", "Add", "Softmax"], ["2.MatMul", "3.Add", "4.Softmax"]),
        (["FULLY_CONNECTED", "LOGISTIC"], ["2.FULLY_CONNECTED", "3.LOGISTIC"]),
        (["MatMul", "Relu"], []),
        (["MatMul", "LayerNormalization"], []),
        (["Conv", "Flatten"], []),
        (["Conv", "Flatten", "Softmax"], ["2.Conv", "3.Flatten", "4.Softmax"]),
        (["GlobalAveragePool", "Softmax"], ["2.GlobalAveragePool", "3.Softmax"]),
    ):
        operations = chain("Conv", "Relu", *end)
        output = operations[-1].outputs[0]
        assert head_tensors(operations, [output], ["x"]) == set(heads), end


def test_the_last_activation_is_told_through_copies():
    for kinds, expected in (
        (["Gemm"], None),
        (["Gemm", "Softmax"], "softmax"),
        (["Gemm", "LogSoftmax", "Identity"], "logsoftmax"),
        (["FULLY_CONNECTED", "LOGISTIC", "DEQUANTIZE"], "sigmoid"),
        (["Softmax", "Gemm"], None),
    ):
        operations = chain(*kinds)
        assert final_activation(operations, operations[-1].outputs[0]) == expected
