"""Aligned columns, short numbers and one-line texts."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_transrate._lib.text import (
    align_rows,
    display_width,
    format_duration,
    format_number,
    format_with_error,
    nearest_names,
    one_line,
    pad,
    shorten,
)

printable = st.text(
    st.characters(categories=["L", "N", "P", "Mn"], max_codepoint=0x9FFF), max_size=60
)


def test_wide_letters_fill_two_cells_and_accents_none():
    assert display_width("abc") == 3
    assert display_width("層") == 2
    assert display_width("e\u0301") == 1


def test_one_line_keeps_a_plain_text():
    assert one_line("resnet / layer3") == "resnet / layer3"


@pytest.mark.parametrize(
    "text",
    [
        "out of\nmemory",
        "out of\r\n\tmemory",
        "\x1b[1;31mout of\x1b[0m memory",
        "out of\0memory",
    ],
)
def test_one_line_drops_line_ends_colours_and_control_characters(text):
    assert one_line(text) == "out of memory"


@given(st.text())
def test_one_line_is_printable_and_changes_nothing_twice(text):
    line = one_line(text)
    assert line.isprintable()
    assert one_line(line) == line


@given(printable, st.integers(4, 70), st.booleans())
def test_shortened_texts_fit_and_short_ones_stay(text, width, middle):
    short = shorten(text, width, middle=middle)
    assert display_width(short) <= width
    if display_width(text) <= width:
        assert short == text
    else:
        assert "..." in short


def test_shortening_in_the_middle_keeps_both_ends():
    short = shorten("encoder.blocks.11.attention.out", 20, middle=True)
    assert short == "encoder.b...tion.out"
    assert shorten("encoder.blocks.11.attention.out", 10) == "encoder..."


def test_shortening_does_not_cut_a_wide_letter_in_half():
    assert shorten("層層層層層", 8) == "層層..."


def test_padding_goes_to_either_side():
    assert pad("ab", 4) == "ab  "
    assert pad("ab", 4, right=True) == "  ab"
    assert pad("層", 4) == "層  "


def test_columns_stand_under_each_other():
    rows = [["rank", "name", "score"], ["1", "層3", "0.5"], ["10", "layer", "12.25"]]
    assert align_rows(rows, right=[True, False, True]) == [
        "rank  name   score",
        "   1  層3      0.5",
        "  10  layer  12.25",
    ]


def test_lines_have_no_spaces_at_their_end():
    assert align_rows([["name"], ["a"]], right=[False]) == ["name", "a"]


@given(st.lists(st.tuples(printable, printable, printable), min_size=1))
def test_every_row_has_the_same_width(rows):
    right = [False, True, True]
    lines = align_rows([(*row, "x") for row in rows], right=[*right, True])
    assert len({display_width(line) for line in lines}) == 1


def test_rows_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="zip"):
        align_rows([["a", "b"], ["a"]], right=[True, True])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.22314, "0.2231"),
        (0.2, "0.2000"),
        (-12.3456, "-12.35"),
        (1234.4, "1234"),
        (123456.0, "1.235e+05"),
        (1e-7, "1.000e-07"),
        (0.0, "0.000"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "-"),
    ],
)
def test_numbers_have_four_digits(value, text):
    assert format_number(value) == text


@given(st.floats(1e-300, 1e300))
def test_a_short_number_is_within_its_digits(value):
    assert float(format_number(value)) == pytest.approx(value, rel=5.1e-4, abs=0)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.22314, 0.00412, "0.2231 ± 0.0041"),
        (42.8, 0.001, "42.80 ± 0.0010"),
        (1234.0, 12.4, "1234 ± 12"),
        (1e-7, 2.34e-8, "1.000e-07 ± 2.3e-08"),
        (0.5, 0.0, "0.5000 ± 0.0"),
        (0.5, math.nan, "0.5000"),
        (math.nan, 0.1, "-"),
    ],
)
def test_an_error_is_cut_where_its_number_is(value, error, text):
    assert format_with_error(value, error) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (2.5e-6, "2.50 us"),
        (0.0009996, "1.00 ms"),
        (0.0123, "12.3 ms"),
        (0.250, "250 ms"),
        (0.9996, "1.00 s"),
        (12.34, "12.3 s"),
        (59.96, "1 min 0 s"),
        (125.4, "2 min 5 s"),
        (3599.6, "1 h 0 min"),
        (7300, "2 h 1 min"),
        (math.inf, "inf s"),
        (math.nan, "-"),
    ],
)
def test_durations_choose_their_unit(seconds, text):
    assert format_duration(seconds) == text


def test_near_names_come_first():
    names = ["stem", "layer1", "layer2", "layer3", "head"]
    assert nearest_names("layer33", names).startswith("nearest of 5: 'layer3'")


def test_without_a_near_name_the_first_ones_are_shown():
    assert nearest_names("zzz", ["a", "b"]) == "nearest of 2: 'a', 'b'"
    assert nearest_names("zzz", []) == "there are none"
