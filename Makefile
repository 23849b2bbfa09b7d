# `make run` starts the product, `make demo` with a simulated garage, `make test` proves it. README says more.
SHELL := /bin/sh
VENV := .venv
PY := $(VENV)/bin/python
export LLM_PORT ?= 8000

.PHONY: run demo test test-tools lint unit postgres e2e certification certification-proxy browser chaos bench-allocate bench-authorise bench-day bench-export bench-fuzz bench-import bench-ocpp bench-outage bench-overview bench-react bench-wiring screenshots format clean

run: $(VENV)/.installed
	@exec $(PY) -m llm_site.up

# The demo keeps its own data, so that it never touches a real garage's.
demo: export LLM_DATA_DIR ?= var/demo
demo: $(VENV)/.installed
	@exec $(PY) -m llm_site.up demo

$(VENV)/.installed: requirements.txt
	@deploy/make-venv.sh $(VENV) requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements.txt requirements-dev.txt
	@deploy/make-venv.sh $(VENV) requirements-dev.txt
	@touch $(VENV)/.installed $@

test: test-tools lint unit postgres e2e browser

test-tools: $(VENV)/.installed-dev
	@deploy/install-test-tools.sh

lint: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	LLM_DATA_DIR=$$(mktemp -d) $(PY) -W error manage.py makemigrations --check --dry-run

unit: $(VENV)/.installed-dev
	$(VENV)/bin/pytest -n auto --ignore=tests/e2e --ignore=tests/certification --ignore=tests/browser

# What touches the database beyond reading and writing rows; pages are left to SQLite.
postgres: $(VENV)/.installed-dev
	deploy/with-postgres.sh $(VENV)/bin/pytest -n auto -m django_db --ignore-glob='*page*' \
		tests/badges tests/exports tests/stations/cpo tests/stations/test_authorising.py \
		tests/stations/test_batching.py tests/stations/test_commands.py tests/stations/test_database.py \
		tests/stations/test_local_lists.py tests/stations/test_message_log.py tests/stations/test_ordering.py \
		tests/stations/test_removal.py tests/stations/test_strays.py tests/stations/test_transactions.py \
		tests/accounts/test_audit.py tests/accounts/test_tries.py tests/llm_site/system \
		tests/llm_site/test_site_file.py tests/energy/test_balancing.py tests/energy/test_limits_in_force.py \
		tests/energy/test_means.py tests/energy/test_observing.py tests/energy/test_upkeep.py \
		tests/energy/test_wiring_checks.py

# Of the cases with an operator a handful; `make certification-proxy` plays them all.
e2e: $(VENV)/.installed-dev
	$(VENV)/bin/pytest -n 4 --dist loadfile tests/e2e tests/certification \
		-k "not operator_behind or TC_004_1 or TC_010 or TC_021 or TC_039"

# Prints the tables: each certification case of OCPP 1.6 with its number, whether it passes, and why not; then those that
# reach an operator, with the load manager between a station and an operator's server of another maker.
certification: $(VENV)/.installed-dev
	$(VENV)/bin/pytest tests/certification

# Prints the second table alone.
certification-proxy: $(VENV)/.installed-dev
	$(VENV)/bin/pytest tests/certification -k operator_behind

browser: $(VENV)/.installed-dev
	$(VENV)/bin/pytest -n 3 tests/browser

# Takes the pictures of docs/screenshots anew.
screenshots: export LLM_KEEP_SCREENSHOTS = 1
screenshots: $(VENV)/.installed-dev
	$(VENV)/bin/pytest tests/browser -k "first_start or sets_the_product_up or walked_dynamic or set_up_from or searched_chosen or overview_is_accessible"

# How long a decision takes, then 100,000 random trees of circuits against the promises (case 32).
bench-allocate: $(VENV)/.installed-dev
	$(PY) -m bench.allocate
	$(PY) -m bench.allocate --cases 100000

# Prints the table: twelve days of a garage in shortage, and what each goal came to.
bench-day: $(VENV)/.installed-dev
	$(PY) -m bench.day

bench-authorise: $(VENV)/.installed-dev
	$(PY) -m bench.authorise

bench-ocpp: $(VENV)/.installed-dev
	$(PY) -m bench.ocpp

# Prints the table: whether mixed-up transformers are found, and how soon, and no building is taken for them.
bench-wiring: $(VENV)/.installed-dev
	$(PY) -m bench.wiring

bench-react: $(VENV)/.installed-dev
	$(PY) -m bench.react

bench-overview: $(VENV)/.installed-dev
	$(PY) -m bench.overview

bench-fuzz: $(VENV)/.installed-dev
	$(PY) -m bench.fuzz

bench-import: $(VENV)/.installed-dev
	$(PY) -m bench.badge_import

bench-export: $(VENV)/.installed-dev
	$(PY) -m bench.export

bench-outage: $(VENV)/.installed-dev
	$(PY) -m bench.outage

# Kills each process under load, about ten minutes, and prints how long a line was over the derated fuse.
chaos: $(VENV)/.installed-dev
	$(PY) -m bench.chaos

format: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis .import_linter_cache
