# make run     install what the example needs into .venv and choose the weights of a bundled network
# make test    everything that has to hold before a change goes in
# make sweep   the longer tests, too, and every model of the coverage page (goes on where it was stopped)
# make readme  write the generated parts of README and docs again
# make clean   remove what these made

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet -c constraints.txt

.PHONY: run test sweep readme clean

run: $(VENV)/.demo
	@$(BIN)/initwise choose

test: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -m "not slow"

sweep: $(VENV)/.dev
	$(BIN)/pytest
	$(BIN)/python benchmarks/coverage_sweep.py
	$(BIN)/python benchmarks/coverage_sweep.py --write

readme: $(VENV)/.dev
	$(BIN)/python docs/build.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp per set of packages, so that a second run installs nothing.
$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing initwise with its example into $(VENV) (PyTorch is large; once only) ..."
	@$(PIP) -e ".[demo]"
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing initwise with its tools into $(VENV) (PyTorch is large; once only) ..."
	@$(PIP) -e ".[dev]"
	@touch $@ $(VENV)/.demo

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("initwise needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 run" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV)
