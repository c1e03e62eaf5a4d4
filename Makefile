# Each target does what it needs first and is quick when nothing changed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CASE   ?= cases/demo

.PHONY: setup demo test test-long lint lab bench docs clean

$(VENV)/installed: requirements.txt requirements-dev.txt constraints.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r requirements.txt -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps -e .
	@touch $@

setup: $(VENV)/installed

demo: setup
	$(BIN)/python -m mhsm_forensics demo $(CASE)

# For two cores; the third worker works while another waits for a browser or a service.
test: lint
	$(BIN)/python -m pytest -n 3 -m "not long"

test-long: setup
	$(BIN)/python -m pytest -n 2 -m long

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lab: setup
	$(BIN)/python -m mhsm_forensics lab

bench: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check pysimdjson==7.0.2 statsmodels==0.14.6
	$(BIN)/python benchmarks/ingest.py
	$(BIN)/python benchmarks/collect.py
	$(BIN)/python benchmarks/widgets.py
	$(BIN)/python benchmarks/anomalies.py
	$(BIN)/python benchmarks/pivot.py
	$(BIN)/python benchmarks/detection.py
	$(BIN)/python benchmarks/names.py

docs: setup
	$(BIN)/python tests/test_docs.py

clean:
	rm -rf $(VENV) cases/demo
