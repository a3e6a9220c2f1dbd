"""Speed, memory and usefulness as numbers that can be checked.

``python -m tests.benchmarks [NAME ...]`` prints one table; ``make bench`` runs it with
one BLAS thread. A time means nothing without what it is compared with, so every claim
is a ratio of two times that were taken in turns, in one run.
"""
