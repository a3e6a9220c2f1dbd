"""Shared, stateless helpers that know nothing about transferability."""
