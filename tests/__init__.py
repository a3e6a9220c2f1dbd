"""The test suite; a package so that tests can share references and golden values."""
