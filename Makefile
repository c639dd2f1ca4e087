# Everything the project needs is installed into .venv by `make setup`, which the others call.
SHELL := /bin/bash
PYTHON ?= python3.11
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: setup demo test test-all lint bench clean

setup: $(STAMP)

# Bytecode is compiled once here: the first import of everything takes half a minute otherwise.
$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: install it, or say make PYTHON=/path/to/python3.11"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $(STAMP)

demo: setup
	$(BIN)/ratchet demo

# Everything but what needs databases, servers or a live schedule; under ten minutes on two cores.
test: setup
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-all: setup
	$(BIN)/python -m pytest -m slow

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	@ls benchmarks/*.py

clean:
	rm -rf .venv .ratchet .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
