"""Simulations with known answers; the long ones run with `make test-long`."""
