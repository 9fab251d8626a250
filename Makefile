# Each target does its own set-up in $(VENV): Python 3.11 (or later) and make are all it needs.
PYTHON ?= $(shell command -v python3.11 || command -v python3 || command -v python)
VENV ?= .venv
BIN = $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test check web clean

help:  ## Show this list.
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

demo: $(VENV)/.run-column  ## Recognise emotions live: the webcam, or the bundled video where there is none.
	@$(BIN)/mien live

test: $(VENV)/.everything  ## Run the tests.
	@$(BIN)/python -m pytest $(TEST_ARGS)

check: $(VENV)/.everything  ## Check lint, format, types and the import rules.
	@echo "ruff check"; $(BIN)/ruff check .
	@echo "ruff format --check"; $(BIN)/ruff format --check .
	@echo "mypy --strict"; $(BIN)/mypy
	@echo "lint-imports"; $(BIN)/lint-imports

web:  ## Build the web page into the package (needs Node.js 20.19 or later).
	@command -v npm >/dev/null || { echo "The page is built with Node.js: install it (https://nodejs.org), 20.19 or later."; exit 1; }
	@npm --prefix web ci --no-audit --no-fund --loglevel=error
	@npm --prefix web run --silent build -- --logLevel warn

clean:  ## Remove the environment, builds and caches; data and results stay.
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests scripts -type d -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "mien needs Python 3.11 or later; '$(PYTHON)' is not. Name one: make PYTHON=/path/to/python3.11"; \
	  exit 1; }
	@echo "Making the environment $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# The stamps come last, so that an installation that broke off is begun again.
$(VENV)/.run-column: $(VENV)/.python pyproject.toml
	@echo "Installing mien into $(VENV) (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.everything: $(VENV)/.python pyproject.toml
	@echo "Installing mien with the extras train and dev into $(VENV) (once; TensorFlow takes a minute or two) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[train,dev]'
	@touch $@ $(VENV)/.run-column
