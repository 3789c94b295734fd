# Needs Python >= 3.11, make and git; pip reads its own configuration. Everything lands in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
CORES ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo run test test-all test-report check study utility speed openapi pictures clean

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

setup: $(READY)  ## build the environment in .venv, nothing else

$(READY): setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Parley needs Python 3.11 or later")'
	@echo 'Building the environment in $(VENV); this takes a few minutes the first time.'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(READY)  ## three payers, a brand and an analyst, from contract to answer, over HTTP
	$(BIN)/parley demo

run: $(READY)  ## keep a server up, for development
	$(BIN)/parley serve --migrate

test: $(READY)  ## the main suite
	$(BIN)/python -m pytest -n $(CORES) -m 'not slow'

test-all: $(READY)  ## the main suite and the slow tests
	$(BIN)/python -m pytest -n $(CORES)

test-report: $(READY)  ## the whole suite, with its report for `parley contract evidence`: test-report.xml
	$(BIN)/python -m pytest -n $(CORES) --junitxml test-report.xml

check: $(READY)  ## style, types, layers, and that openapi.yaml is current
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/parley openapi --check

study: $(READY)  ## how often the intervals hold the truth, and how wide they are (some twenty minutes)
	$(BIN)/python -m benchmarks.interval_study
	$(BIN)/python -m benchmarks.study

utility: $(READY)  ## how accurate tables are, beside other ways to spend the same budget (up to a minute)
	$(BIN)/python -m benchmarks.utility

speed: $(READY)  ## requests per second beside an empty route, and how long a joint answer takes (a minute or two)
	$(BIN)/python -m benchmarks.http

openapi: $(READY)  ## write openapi.yaml from the code
	$(BIN)/parley openapi

pictures: $(READY)  ## draw the pictures of docs/explain/accuracy.md
	$(BIN)/parley contract preview examples/budget/contract.yaml --plot docs/explain/pictures/budget.svg >/dev/null
	$(BIN)/parley contract preview examples/tutorial/contract.yaml --plot docs/explain/pictures/tutorial.svg >/dev/null

clean:  ## remove .venv and everything the tools left behind
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
