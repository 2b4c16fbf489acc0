# Everything runs from .venv, which the first target that needs it creates from the exact versions in constraints.txt.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BIN := .venv/bin
export DAGSTER_DISABLE_TELEMETRY := 1

.PHONY: run test test-long check ui bench documents clean

run: .venv/ready
	@$(BIN)/chargehouse run

test: .venv/ready
	@$(BIN)/python -m pytest -n auto --dist loadscope

test-long: .venv/ready
	@$(BIN)/python -m pytest -n auto -m long

check: .venv/ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m warehouse.dictionary --check
	@$(BIN)/python -m tests.faults.page --check
	@DAGSTER_HOME=$$(mktemp -d) $(BIN)/dagster definitions validate -w workspace.yaml --log-level error

ui: .venv/ready
	@$(BIN)/chargehouse ui

# make bench BENCH="--large --rounds 5"; BENCH=--help lists all options.
bench: .venv/ready
	@$(BIN)/python -m benchmarks $(BENCH)

# The documents generated from the code: the data dictionary and the page of faults.
documents: .venv/ready
	@$(BIN)/python -m warehouse.dictionary
	@$(BIN)/python -m tests.faults.page

clean:
	rm -rf .venv .venv-benchmarks

.venv/ready: pyproject.toml constraints.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "Chargehouse needs Python 3.11 to 3.13; found: $$("$(PYTHON)" --version 2>&1). Set PYTHON=..."; exit 1; }
	@echo "Setting up .venv (about a minute, once) ..."
	@"$(PYTHON)" -m venv --clear .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[development]'
	@touch $@
