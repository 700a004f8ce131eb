# Paths are relative on purpose: the clone may lie under a folder with spaces.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH := $(shell sed -n 's/^torch==/torch==/p' constraints.txt)

TAILOR_HOME ?= .tailor

.PHONY: help setup demo airflow test check format docs clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile

# torch first and by its exact version: a bare `torch` brings gigabytes of CUDA packages
$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tailor needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	@command -v java >/dev/null || { echo "tailor needs Java 17 or newer on the PATH (Spark runs on it)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[all,dev]"
	$(BIN)/tailor doctor >/dev/null
	@$(BIN)/tailor features warm >/dev/null 2>&1 || echo "Spark starts, but slower than it could; $(BIN)/tailor features warm says why" >&2
	@touch $@

setup: $(VENV)/.ready  ## make .venv with everything in it

demo: $(VENV)/.ready  ## raw files to recommendations and a report, on the built-in shop
	@$(BIN)/tailor demo

airflow: $(VENV)/.ready  ## Airflow with our DAGs, over the home; the built-in shop if it is empty
	@test -e "$(TAILOR_HOME)/releases/current" || $(BIN)/tailor --home "$(TAILOR_HOME)" demo
	@$(BIN)/tailor --home "$(TAILOR_HOME)" airflow start

# a file's tests stay together, the slow ones last; each process has a Spark session, and takes 6 GB
test: $(VENV)/.ready  ## all tests, in two processes
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(VENV)/.ready  ## lint, format, types, import arrows
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.ready  ## format and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: $(VENV)/.ready  ## the pages that are made from the code
	@$(BIN)/python docs/reference.py
	@$(BIN)/python docs/features_page.py
	@$(BIN)/python docs/client_page.py

clean:  ## remove .venv and all state
	rm -rf $(VENV) .tailor
