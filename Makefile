# The tasks of a checkout. `make` alone lists the targets.

PYTHON ?= python3
override VENV := .venv
override PY := $(VENV)/bin/python
UV_COMPILE := $(VENV)/bin/uv pip compile -q --generate-hashes --python-version 3.11 --no-emit-index-url --no-header

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-browser screenshots first-start kills versions chaos fuzz model model-long interleave drills restore-drill bench bench-check bench-growth bundle lint coverage house messages provider lock clean

help:
	@echo "make demo    play the three cases on a whole desk with its partners' sandbox; stays (DEMO_EXIT=1: ends)"
	@echo "make test    all tests but the longest on SQLite, and where a PostgreSQL answers those that depend on it (WHOLE=1: all on SQLite, a sample of all on PostgreSQL; ARGS=\"-k name\")"
	@echo "make test-browser  the staff's pages in Debian's chromium, with axe-core"
	@echo "make screenshots   pictures of the main pages into docs/screenshots"
	@echo "make bench   all benches, one after the other; see bench/README.md"
	@echo "make bench-check  intake and delivery again; fails if a ratio is 15 % lower than at the best run that was kept"
	@echo "make bench-growth  all work at 1,000, 100,000 and 1,000,000 finished orders; ARGS=\"--counts 1000 3000000\""
	@echo "make first-start  walk README's ten lines from a fresh clone, as root on Debian with nginx and PostgreSQL"
	@echo "make kills   kills each process of a desk in turn, on both databases (minutes)"
	@echo "make versions     old code on the next schema, new code on the old one, reloads without a lost call (minutes)"
	@echo "make chaos   everything fails at random; ARGS=\"--seed 7 --database postgres --seconds 1800 --orders 9000\""
	@echo "make fuzz    100,000 hostile inputs; ARGS=\"--count 5000 --seed 7\""
	@echo "make model   1,500 random sequences in process on SQLite, 300 on PostgreSQL; ARGS=\"--count 300 --seed 7\""
	@echo "make model-long COUNT=20000  as long as asked, on SQLite; stop it at will, its parts add up"
	@echo "make interleave   500 random interleavings with repairs against the partners' process; ARGS=\"--count 60 --database postgres\""
	@echo "make bundle  one archive in dist/ that installs without a package index; ARGS=\"--python-version 3.13\""
	@echo "make drills  the database goes away in every way and a worker's clock is wrong, on clusters of its own, with ten minutes of load; ARGS=\"--short --only frozen\""
	@echo "make restore-drill  a copy of the database is put back while partners remember more, and a standby that lagged is promoted"
	@echo "make lint    ruff: rules and format; mypy: types (strict where pyproject.toml says so)"
	@echo "make coverage      lines and branches that the tests in process run on SQLite; at least 95 % of plan and services"
	@echo "make house   functions per 1,000 lines, longest files, files that one order runs through; ARGS=--files names them"
	@echo "make messages      write the Chinese catalogue anew from the sources, and compile it"
	@echo "make provider      a real OpenID provider (npm) for tests/company; without it those tests are skipped"
	@echo "make venv    the virtual environment in $(VENV), from the lock files"
	@echo "make lock    compile requirements*.in into lock files (ARGS=--upgrade takes newer versions)"
	@echo "make clean   remove what these made"

venv: $(VENV)/stamp

# The environment is made anew when a lock file changed. Each stamp comes last, so a broken environment is made again.
# What the desk runs on is enough for the demo; the tests' libraries, four times as large, come with the first other target.
$(VENV)/runs: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	@test ! -L $(VENV) || { echo "$(VENV) is a link, and what it leads to would be emptied: remove the link first" >&2; exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(call install,what the desk runs on,-r requirements.txt)
	@touch $@

$(VENV)/stamp: $(VENV)/runs requirements-dev.txt
	@$(call install,what the tests need,-r requirements.txt -r requirements-dev.txt)
	@touch $@

# $(call install,WHAT,FILES): installs what the lock files name, and says how long that took.
install = printf 'installing $(1) ... ' && began=$$(date +%s) && \
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes $(2) && \
	echo "$$(($$(date +%s) - began)) s"

demo: $(VENV)/runs
	@$(PY) -m tests.demo

test: $(VENV)/stamp
	@$(if $(WHOLE),DESK_TEST_WHOLE=1 )$(PY) -m tests.run $(ARGS)

test-browser: $(VENV)/stamp
	@DESK_BROWSER=1 $(PY) -m pytest tests/browser $(ARGS)

screenshots: $(VENV)/stamp
	@$(PY) -m tests.tools.screenshots

bench: $(VENV)/stamp
	@for name in ingest deliver two_workers idle claim memory reconcile prune admin large; do $(PY) -m bench.$$name || exit 1; done

bench-check: $(VENV)/stamp
	@$(PY) -m bench.ingest && $(PY) -m bench.deliver && $(PY) -m bench.check; status=$$?; $(PY) -m bench.chart; exit $$status

bench-growth: $(VENV)/stamp
	@$(PY) -m bench.growth $(ARGS)

first-start: $(VENV)/stamp
	@$(PY) -m tests.first_start.run

# They mostly wait: several play at once, each process of pytest with a desk of its own.
kills: $(VENV)/stamp
	@$(PY) -m tests.run -n 2 --dist worksteal -m kills tests/processes/test_kills.py tests/processes/test_more_kills.py \
		tests/processes/test_office_kills.py tests/processes/test_metrics.py tests/database/test_frozen.py $(ARGS)

versions: $(VENV)/stamp
	@$(PY) -m tests.run -n 2 --dist loadfile -m versions tests/versions $(ARGS)

chaos: $(VENV)/stamp
	@$(PY) -m tests.tools.chaos.run $(ARGS)

fuzz: $(VENV)/stamp
	@$(PY) -m tests.tools.fuzz --count 100000 $(ARGS)

model: $(VENV)/stamp
	@$(PY) -m tests.model.run $(ARGS)

model-long: $(VENV)/stamp
	@$(PY) -m tests.model.run --database sqlite --count $(COUNT) $(ARGS)

interleave: $(VENV)/stamp
	@$(PY) -m tests.interleave.run $(ARGS)

bundle: $(VENV)/stamp
	@$(PY) -m deploy.bundle $(ARGS)

drills: $(VENV)/stamp
	@$(PY) -m tests.drills.run $(ARGS)

restore-drill: $(VENV)/stamp
	@$(PY) -m tests.drills.restore $(ARGS)

lint: $(VENV)/stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

coverage: $(VENV)/stamp
	@DESK_TEST_DATABASE_URL= $(PY) -m coverage run -m pytest -m "not processes and not kills and not versions" $(ARGS)
	@$(PY) -m coverage report
	@$(PY) -m coverage report --include="orders/attachments/*,orders/bpm/*,orders/books/*,orders/history/*,orders/incidents/*,orders/intake/*,orders/mails/*,orders/outbox/*,orders/pauses/*,orders/people/*,orders/reconciliation/*,orders/replanning/*,orders/sending/*,orders/start_day/*,orders/trials/*,orders/undoing/*,orders/actions/*" --fail-under=95

house: $(VENV)/stamp
	@$(PY) -m tests.tools.house $(ARGS)

# The real provider of tests/company/test_real_provider.py, from npm by its lock file.
.provider/stamp: tests/company/provider/package.json tests/company/provider/package-lock.json
	@rm -rf .provider && mkdir .provider && cp $^ .provider/
	@npm ci --prefix .provider --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

provider: .provider/stamp

messages: $(VENV)/stamp
	@$(PY) -m tests.tools.messages

lock: $(VENV)/stamp
	$(UV_COMPILE) $(ARGS) requirements.in -o requirements.txt
	$(UV_COMPILE) $(ARGS) requirements-dev.in -o requirements-dev.txt

clean:
	rm -rf $(VENV) .provider .demo .pytest_cache .ruff_cache .mypy_cache .coverage staticfiles dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
