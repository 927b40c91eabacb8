# Two commands do everything: `make demo` and `make test`. Both start from nothing but Python 3.11+.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# one BLAS thread each: the tests run in several processes
export OPENBLAS_NUM_THREADS = 1
export OMP_NUM_THREADS = 1

.PHONY: demo test lint benchmark clean

$(BIN)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(BIN)/.installed-dev: $(BIN)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

demo: $(BIN)/.installed  ## install, then the functional dimension of a network trained on the iris data
	$(BIN)/exactfd info examples/iris_4-6-6-3.json
	$(BIN)/exactfd cells examples/iris_4-6-6-3.json
	$(BIN)/exactfd dim examples/iris_4-6-6-3.json

test: $(BIN)/.installed-dev  ## install, then the whole test suite
	$(BIN)/python -m pytest -n auto --dist worksteal $(PYTEST)

lint: $(BIN)/.installed-dev  ## style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check exactfd
	$(BIN)/mypy
	$(BIN)/lint-imports

benchmark: $(BIN)/.installed-dev  ## the tables of docs/performance.md
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
