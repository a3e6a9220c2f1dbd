"""The bytes of ONNX files, written here field by field."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_transrate.extractors._onnx_file import (
    OnnxNode,
    cut_model,
    encode_node,
    read_graph,
)


def number(value):
    encoded = b""
    while value > 127:
        encoded += bytes([value % 128 + 128])
        value //= 128
    return encoded + bytes([value])


def field(key, content):
    return number(key * 8 + 2) + number(len(content)) + content


def node(kind, inputs, output, *attributes):
    read = b"".join(field(1, name.encode()) for name in inputs)
    rest = b"".join(field(5, attribute) for attribute in attributes)
    return field(1, read + field(2, output.encode()) + field(4, kind.encode()) + rest)


def named(name):
    return field(1, name.encode())


WEIGHTS = bytes(300)
GRAPH = (
    node("MatMul", ["x", "w"], "hidden")
    + node("Transpose", ["hidden"], "turned", named("perm") + b"\x40\x00\x40\x81\x01")
    + node("Add", ["turned", "v"], "out")
    + field(5, field(8, b"w") + field(9, WEIGHTS))
    + field(5, field(8, b"v") + field(13, field(1, b"location") + field(2, b"v.bin")))
    + field(11, named("x"))
    + field(11, named("w"))
    + field(12, named("out"))
    + field(13, named("hidden") + field(2, b""))
)
MODEL = b"\x08\x08" + field(7, GRAPH) + field(8, b"\x10\x11")


def test_nodes_inputs_and_outputs_are_read():
    graph = read_graph(MODEL)
    assert [step.kind for step in graph.nodes] == ["MatMul", "Transpose", "Add"]
    assert graph.nodes[1].permutation == (0, 129)
    assert graph.nodes[2].inputs == ("turned", "v")
    assert (graph.inputs, graph.outputs) == (["x"], ["out"])
    assert graph.external_files == ["v.bin"]


def test_what_branches_read_is_an_input():
    branch = node("Neg", ["outside"], "inner") + field(12, named("inner"))
    graph = node("If", ["x"], "out", named("then_branch") + field(6, branch))
    (step,) = read_graph(field(7, graph + field(12, named("out")))).nodes
    assert {"x", "outside"} <= set(step.inputs)


def test_a_cut_keeps_what_is_needed_byte_by_byte():
    cut = cut_model(MODEL, ["hidden"], {})
    graph = read_graph(cut)
    assert [step.outputs for step in graph.nodes] == [("hidden",)]
    assert graph.outputs == ["hidden"]
    assert graph.external_files == []
    assert field(5, field(8, b"w") + field(9, WEIGHTS)) in cut
    assert cut.startswith(b"\x08\x08")
    assert field(8, b"\x10\x11") in cut
    # The output is declared as the file declares it.
    assert cut.count(field(12, named("hidden") + field(2, b""))) == 1


def test_nodes_are_added_where_they_are_wanted():
    extra = {
        "real": OnnxNode("Cast", ("hidden",), ("real",)),
        "mean": OnnxNode("Mean", ("real",), ("mean",)),
    }
    graph = read_graph(cut_model(MODEL, ["mean", "out"], extra))
    assert [step.outputs[0] for step in graph.nodes] == [
        "hidden", "turned", "out", "real", "mean",
    ]  # fmt: skip
    assert graph.outputs == ["mean", "out"]
    assert len(read_graph(cut_model(MODEL, ["out"], extra)).nodes) == 3


@given(st.text(min_size=1), st.lists(st.text(), max_size=3))
def test_names_of_any_letters_come_back(kind, inputs):
    step = OnnxNode(kind, tuple(inputs), ("out",))
    graph = field(1, encode_node(step)) + field(12, named("out"))
    assert read_graph(field(7, graph)).nodes == [step]


@given(st.binary(max_size=60))
def test_bytes_of_anything_else_are_refused(content):
    with pytest.raises(ValueError, match=r"^(it|'utf-8')"):
        read_graph(content)


@given(st.integers(0, len(MODEL) - 1), st.integers(0, 255))
def test_damage_is_survived(position, byte):
    damaged = MODEL[:position] + bytes([byte]) + MODEL[position + 1 :]
    for content in (damaged, MODEL[:position]):
        with suppress(ValueError):
            cut_model(content, read_graph(content).outputs, {})
