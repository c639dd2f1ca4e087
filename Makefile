# Everything the project needs is installed into .venv by `make setup`, which the others call.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: setup demo up test test-all faults lint mutants bench bench-check clean

setup: $(STAMP)

# Bytecode is compiled once here: the first import of everything takes half a minute otherwise.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11))' 2>/dev/null || { echo "Python 3.11 is needed: install it, or say make PYTHON=/path/to/python3.11"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	$(BIN)/python -m flows.adapters.servers.migrated_prefect
	touch $(STAMP)

demo: setup
	$(BIN)/ratchet demo

# Prefect, a worker, every deployment and MLflow, in the foreground, until Ctrl-C.
up: setup
	@exec $(BIN)/ratchet up

# Everything but the faults (below) and what needs databases, servers or a live schedule, or walks half a
# minute; under ten minutes on two cores. In the folders' order: by default the files with the fewest
# tests come last, and those are the long walks, one of which would keep one core busy while the other waits.
test: setup
	$(BIN)/python -m pytest -m "not slow" --ignore tests/faults -n 2 --dist loadfile --no-loadscope-reorder

# The faults come last, as the table that says what became of each (`make faults`).
test-all: setup
	$(BIN)/python -m pytest -m slow --ignore tests/faults
	$(BIN)/python -m tests.faults.table

# Injects every fault that the project must survive, on both databases, and prints a line a fault: what
# was claimed, pass or fail, how it was injected. Exit code 1 unless all that are due pass; half an hour.
faults: setup
	$(BIN)/python -m tests.faults.table

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Breaks the proof's assumptions one by one in a copy; a named test must turn red each time.
mutants: setup
	$(BIN)/python .ci/mutants.py

# Recomputes a slice of the benchmarks of certificate, triage, guardrail, the next notch, whole lives, retrains
# and drift, and compares with the committed results.
bench-check: setup
	$(BIN)/python -m benchmarks.certificate --check
	$(BIN)/python -m benchmarks.triage --check
	$(BIN)/python -m benchmarks.guardrail --check
	$(BIN)/python -m benchmarks.lasting_shift --check
	$(BIN)/python -m benchmarks.next_notch --check
	$(BIN)/python -m benchmarks.lives --check
	$(BIN)/python -m benchmarks.retrain --check
	$(BIN)/python -m benchmarks.drift_worlds --check

# Needs the public data (RATCHET_DATA); several minutes.
bench: setup
	$(BIN)/python benchmarks/no_peeking.py configs/sources/card_transactions.yaml

clean:
	rm -rf .venv .ratchet .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
