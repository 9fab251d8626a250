# Each target does its own set-up in $(VENV): Python 3.11 (or later) and make are all it needs.
PYTHON ?= $(shell command -v python3.11 || command -v python3.13 || command -v python3.12 || command -v python3 || command -v python)
VENV ?= .venv
BIN = $(VENV)/bin
# Versions for Python 3.11 to 3.13, each with its hash. `make LOCK= test` takes the newest instead.
LOCK ?= requirements.lock

.DEFAULT_GOAL := help
.PHONY: help demo test test-all coverage check lock docs temporal web clean

help:  ## Show this list.
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

demo: $(VENV)/.run-column  ## Recognise emotions live: the webcam, or the bundled video where there is none.
	@$(BIN)/mien live

test: $(VENV)/.everything  ## Run the tests.
	@$(BIN)/python -m pytest $(TEST_ARGS)

test-all: $(VENV)/.everything  ## Get the page, YuNet and a browser where they can be had, and run every test.
	@if command -v npm >/dev/null; then $(MAKE) web; fi
	@test -n "$$MIEN_YUNET" || $(BIN)/mien models download || true
	@command -v chromium chromium-browser google-chrome google-chrome-stable >/dev/null || echo "No Chromium: the page's tests need one (on Debian and Ubuntu  apt install chromium)."
	@$(BIN)/python -m pytest -m "slow or not slow" $(TEST_ARGS)

coverage: $(VENV)/.everything  ## Run the tests and see that they reach enough of the code.
	@$(BIN)/python -m pytest --cov --cov-report=term:skip-covered $(TEST_ARGS)

check: $(VENV)/.everything  ## Check lint, format, types and the import rules.
	@echo "ruff check"; $(BIN)/ruff check .
	@echo "ruff format --check"; $(BIN)/ruff format --check .
	@echo "mypy --strict"; $(BIN)/mypy
	@echo "lint-imports"; $(BIN)/lint-imports

lock: $(VENV)/.python  ## Write the newest versions of everything that the tests need into requirements.lock.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --custom-compile-command "make lock" --extra train --extra dev \
	  pyproject.toml --output-file requirements.lock

docs: $(VENV)/.everything  ## Build the documentation site into build/site, strictly.
	@$(BIN)/zensical build --strict --clean

temporal: $(VENV)/.everything  ## Train the temporal network for the shipped face network (minutes; needs data/).
	@$(BIN)/mien train experiments/032_temporal.toml --restart
	@cp results/runs/032_temporal/temporal.onnx results/runs/032_temporal/temporal.json src/mien/assets/

web:  ## Build the web page into the package (needs Node.js 20.19 or later).
	@command -v npm >/dev/null || { echo "The page is built with Node.js: install it (https://nodejs.org), 20.19 or later."; exit 1; }
	@npm --prefix web ci --no-audit --no-fund --loglevel=error
	@npm --prefix web run --silent build -- --logLevel warn

clean:  ## Remove the environment, builds and caches; data and results stay.
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage
	rm -rf src/mien/serve/static web/node_modules
	find src tests scripts benchmarks -type d -name __pycache__ -prune -exec rm -rf {} +

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

$(VENV)/.everything: $(VENV)/.python pyproject.toml $(LOCK)
	@test -z "$(LOCK)" || $(BIN)/python -c 'import sys; sys.exit(sys.version_info >= (3, 14))' || { \
	  echo "TensorFlow had no packages for Python 3.14 when requirements.lock was made. Name an older one:"; \
	  echo "  make clean, then make $(firstword $(MAKECMDGOALS)) PYTHON=/path/to/python3.13"; \
	  exit 1; }
	@echo "Installing mien with the extras train and dev into $(VENV) (once; TensorFlow takes a minute or two) ..."
	@if [ -n "$(LOCK)" ]; then \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(LOCK) && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .; \
	else \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[train,dev]'; \
	fi
	@touch $@ $(VENV)/.run-column
