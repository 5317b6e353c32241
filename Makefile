# What is done with a checkout. `make` alone tells the targets.

PYTHON ?= python3
override VENV := .venv
override PY := $(VENV)/bin/python
UV_COMPILE := $(VENV)/bin/uv pip compile -q --generate-hashes --python-version 3.11 --no-emit-index-url --no-header

.DEFAULT_GOAL := help
.PHONY: help venv demo test lint lock clean

help:
	@echo "make demo    play the three cases on a whole desk with its partners' sandbox; stays (DEMO_EXIT=1: ends)"
	@echo "make test    all tests, on SQLite and on PostgreSQL where one answers (ARGS=\"-k name\" goes to pytest)"
	@echo "make lint    ruff: rules and format"
	@echo "make venv    the virtual environment in $(VENV), from the lock files"
	@echo "make lock    compile requirements*.in into lock files (ARGS=--upgrade takes newer versions)"
	@echo "make clean   remove what these made"

venv: $(VENV)/stamp

# Made anew when a lock file changed; the stamp comes last, so a broken one is made again.
$(VENV)/stamp: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r requirements.txt -r requirements-dev.txt
	@touch $@

demo: $(VENV)/stamp
	@$(PY) -m project.demo

test: $(VENV)/stamp
	@$(PY) -m tests.run $(ARGS)

lint: $(VENV)/stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

lock: $(VENV)/stamp
	$(UV_COMPILE) $(ARGS) requirements.in -o requirements.txt
	$(UV_COMPILE) $(ARGS) requirements-dev.in -o requirements-dev.txt

clean:
	rm -rf $(VENV) .demo .pytest_cache .ruff_cache staticfiles
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
