"""Slow, literal definitions straight from the papers: what the fast code must equal.

One file a family, plain NumPy and SciPy, loops wherever the paper has a sum. Every
definition takes labels of any sortable kind. Where the published program and the
paper differ, the definition follows the paper and its docstring names the difference;
`test_references` compares all of them with the numbers of the published programs.
"""
