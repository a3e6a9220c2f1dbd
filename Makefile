# The commands a contributor needs. Each sets up what it uses.
PYTHON ?= python3
VENV := .venv
OLDEST := .venv-oldest
FRAMEWORKS := .venv-frameworks
CLUSTER := .venv-cluster
BIN := $(VENV)/bin
# Small matrices on few cores: BLAS threads that spin cost more than they give.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

.PHONY: demo test test-long test-oldest test-frameworks test-cluster bench evidence doc lint clean

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

$(VENV)/.doc: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[doc]'
	touch $@

$(OLDEST)/.installed: pyproject.toml tests/oldest.txt
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --upgrade pip
	$(OLDEST)/bin/python -m pip install --quiet --editable '.[testing]' --constraint tests/oldest.txt pytest-xdist
	touch $@

$(FRAMEWORKS)/.installed: pyproject.toml tests/frameworks.txt
	$(PYTHON) -m venv $(FRAMEWORKS)
	$(FRAMEWORKS)/bin/python -m pip install --quiet --upgrade pip
	$(FRAMEWORKS)/bin/python -m pip install --quiet --editable '.[frameworks]' --constraint tests/frameworks.txt
	touch $@

$(CLUSTER)/.installed: pyproject.toml
	$(PYTHON) -m venv $(CLUSTER)
	$(CLUSTER)/bin/python -m pip install --quiet --upgrade pip
	$(CLUSTER)/bin/python -m pip install --quiet --editable '.[dask,frame,ray,testing]' pyarrow
	touch $@

demo: $(VENV)/.installed ## rank pretrained networks on real digits, then check the ranking
	$(ONE_THREAD) $(BIN)/sklearn-transrate demo --plot demo.png

test: $(VENV)/.installed lint ## all tests but the long ones, on the same examples every time
	$(ONE_THREAD) HYPOTHESIS_PROFILE=ci $(BIN)/python -m pytest -n 2 -m "not slow"

test-long: $(VENV)/.installed ## 2,000 examples a metric, 10,000 a law of statistics, and the slow tests
	$(ONE_THREAD) HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -n 2

test-oldest: $(OLDEST)/.installed ## the oldest supported versions
	$(ONE_THREAD) HYPOTHESIS_PROFILE=ci $(OLDEST)/bin/python -m pytest -n 2 -m "not slow" tests

test-frameworks: $(FRAMEWORKS)/.installed ## extractors on real models of every framework
	$(ONE_THREAD) $(FRAMEWORKS)/bin/python -m pytest -n 2 tests/extractors tests/test_cli_extract.py tests/doc/test_examples.py
	$(ONE_THREAD) $(FRAMEWORKS)/bin/python -m tests.benchmarks torch_layers

test-cluster: $(CLUSTER)/.installed ## several processes of dask and of ray, some of them killed
	$(ONE_THREAD) $(CLUSTER)/bin/python -m pytest tests/statistics/test_accumulate_dask.py tests/statistics/test_accumulate_ray.py

bench: $(VENV)/.installed ## speed as ratios within one run, and memory; ten minutes
	$(ONE_THREAD) $(BIN)/python -m tests.benchmarks --large --limit 540 --evidence doc

evidence: $(VENV)/.installed ## tables of how well metrics choose, from the committed scores
	$(ONE_THREAD) $(BIN)/python -m tests.benchmarks.evidence

doc: $(VENV)/.doc ## pages with examples that ran, in doc/_build/html
	$(ONE_THREAD) $(BIN)/python -m sphinx -b html -W --keep-going doc doc/_build/html

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf $(VENV) $(OLDEST) $(FRAMEWORKS) $(CLUSTER) build dist *.egg-info doc/_build doc/auto_examples doc/api/generated .pytest_cache .ruff_cache .hypothesis
