.DEFAULT_GOAL := help
.PHONY: help install up test test-18 check style types fix bench drill-abuse docs migration lock clean
.PHONY: client client-check test-client lint-openapi check-node
.PHONY: web web-check test-web walks-app walks-ops bench-web
SHELL := /bin/bash

PYTHON ?= $(shell command -v python3 || command -v python3.11 || echo python3)
BIN := .venv/bin
STAMP := .venv/.installed
CODE := metacortex migrations tests bench

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Make .venv with the locked packages

# Ctrl-C is not heard by what runs in the background: one line instead of a traceback.
QUIETLY = trap 'kill $$!; wait; echo "Interrupted: the same command goes on." >&2; exit 130' INT;

# The package itself is one line on the path and one script: nothing is built, and
# what is edited is what runs.
$(STAMP): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@echo 'Installing the locked packages into .venv (half a minute, once) ...' >&2
	@$(BIN)/python -c 'import pip' 2>/dev/null \
		|| { $(QUIETLY) $(PYTHON) -m venv --clear .venv & wait $$!; }
	@$(QUIETLY) if command -v uv >/dev/null; then \
		exec uv pip install -q --python $(BIN)/python --require-hashes -r requirements.lock; \
	else \
		exec $(BIN)/python -m pip install -q --disable-pip-version-check \
			--require-hashes -r requirements.lock; \
	fi & wait $$!
	@$(BIN)/python -c 'import pathlib, sysconfig; \
		pathlib.Path(sysconfig.get_path("purelib"), "metacortex.pth").write_text("$(CURDIR)\n")'
	@printf '#!/bin/sh\nexec "$(CURDIR)/$(BIN)/python" -m metacortex "$$@"\n' > $(BIN)/metacortex
	@chmod +x $(BIN)/metacortex
	@touch $@

up: $(STAMP) ## Start everything: Postgres, Redis, API, worker, scheduler (ARGS="--port 8001")
	@exec $(BIN)/metacortex up $(ARGS)

# Tests start many processes: kept bytecode saves each of them a second. Three at a time
# keep two cores busy, since many wait for servers of their own. The longest
# tests begin, in the order of tests/conftest.py.
unexport PYTHONDONTWRITEBYTECODE
PYTEST := $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder -q

test: $(STAMP) ## Run the tests; all of them unless ARGS names some
	$(PYTEST) $(or $(ARGS),--cov)

test-18: $(STAMP) ## Run the tests on PostgreSQL 18; ARGS names some
	METACORTEX_POSTGRES_BIN="$$($(BIN)/python -c '$(WHEEL)')" $(PYTEST) $(ARGS)
WHEEL := from metacortex.devtools.embedded.postgres import wheel_folder; print(wheel_folder())

# The schema and its grants, the laws of both sides, one walk over HTTP and the database of
# an older release: what can tell one version of PostgreSQL from another.
VERSIONED := tests/test_schema.py tests/integration/test_grants.py tests/integration/test_laws.py \
	tests/integration/test_projector.py tests/http/test_first_walk.py tests/fixtures

check: $(STAMP) ## Formatting, lint, types, imports, tests, coverage: what CI runs
	$(MAKE) --no-print-directory -j2 --output-sync=target style types
	$(MAKE) --no-print-directory test
	$(MAKE) --no-print-directory test-18 ARGS='$(VERSIONED)'

style:
	$(BIN)/black -q --check $(CODE) || $(BIN)/black --check $(CODE)
	$(BIN)/isort --check $(CODE)
	$(BIN)/flake8 $(CODE)
	$(BIN)/lint-imports

types:
	$(BIN)/mypy

fix: $(STAMP) ## Format the code
	$(BIN)/isort $(CODE)
	$(BIN)/black $(CODE)

bench: $(STAMP) ## Measure, and write bench/RESULTS.md (ARGS="--quick", or "--full")
	$(BIN)/python -m bench $(filter-out --full,$(ARGS))
	$(BIN)/python -m bench.growth $(filter --quick --full,$(ARGS))

drill-abuse: $(STAMP) ## Attack a real server beside a bystander; prints a table, within three minutes
	timeout 180 $(BIN)/python -m tests.drills.abuse

docs: $(STAMP) ## Write docs/settings.md, errors.md and limits.md from the code
	$(BIN)/python -m metacortex.reference

# The client needs Node 20 or newer; nothing else here does.
CLIENT := clients/typescript
NODE_MODULES := $(CLIENT)/node_modules/.package-lock.json
$(NODE_MODULES): $(CLIENT)/package-lock.json $(CLIENT)/package.json
	npm ci --prefix $(CLIENT) --no-audit --no-fund
	@touch $@

client: $(STAMP) $(NODE_MODULES) ## Generate the TypeScript client from the code
	npm run --silent --prefix $(CLIENT) generate

client-check: $(STAMP) $(NODE_MODULES) ## Fail if the generated client is not current
	npm run --silent --prefix $(CLIENT) generate:check

test-client: $(STAMP) $(NODE_MODULES) ## Check the TypeScript client against a running server
	npm run --silent --prefix $(CLIENT) check

LINT := tools/openapi
$(LINT)/node_modules/.package-lock.json: $(LINT)/package-lock.json
	npm ci --prefix $(LINT) --no-audit --no-fund --ignore-scripts
	@touch $@

lint-openapi: $(STAMP) $(LINT)/node_modules/.package-lock.json ## Lint the OpenAPI document (Redocly, Spectral)
	$(BIN)/metacortex openapi > $(LINT)/openapi.json
	npm run --silent --prefix $(LINT) lint

check-node: $(STAMP) ## All that needs Node: what CI runs where it is there
	$(MAKE) --no-print-directory -j2 --output-sync=target client-check web-check lint-openapi
	$(MAKE) --no-print-directory test-client

# The app is committed as built, so that serving it needs no Node either.
WEB := web
WEB_MODULES := $(WEB)/node_modules/.package-lock.json
$(WEB_MODULES): $(WEB)/package-lock.json $(WEB)/package.json
	npm ci --prefix $(WEB) --no-audit --no-fund
	@touch $@

web: $(WEB_MODULES) ## Build the web app into metacortex/web
	npm run --silent --prefix $(WEB) build

web-check: $(WEB_MODULES) ## Lint, types and tests of the web app; fail if its build is not current
	npm run --silent --prefix $(WEB) check
	npm run --silent --prefix $(WEB) build:check

# The operators' walks break their server, so that they have another one: two at a time.
test-web: $(STAMP) $(WEB_MODULES) ## Walk through the web app in Chromium, against servers of its own
ifdef ARGS
	$(WALKS) $(ARGS)
else
	$(MAKE) --no-print-directory -j2 --output-sync=target walks-app walks-ops
endif

WALKS := npm run --silent --prefix $(WEB) test:e2e --
OPERATORS := ops.e2e.ts faults.e2e.ts
walks-app:
	$(WALKS) $(patsubst %,--exclude %,$(OPERATORS))
walks-ops:
	$(WALKS) $(OPERATORS)

bench-web: $(STAMP) $(WEB_MODULES) ## Measure the web app in Chromium, and write it to bench/RESULTS.md
	npm run --silent --prefix $(WEB) bench

migration: $(STAMP) ## Begin a migration: make migration m="Add a due time to tasks"
	@test -n "$$m" || { echo 'Say what it does: make migration m="..."' >&2; exit 1; }
	$(BIN)/alembic revision -m "$$m"

# Hashes of every file of a release and no address, so that any mirror will do. The
# packages of the image are a subset, of the same versions.
LOCK := pip compile pyproject.toml -q --universal --python-version 3.11 --upgrade \
	--generate-hashes --no-strip-extras --no-annotate --no-header --no-emit-index-url \
	--no-emit-find-links
lock: ## Renew the locks from pyproject.toml
	$(PYTHON) -m venv --clear .venv/lock
	.venv/lock/bin/pip install -q uv
	.venv/lock/bin/uv $(LOCK) --all-extras -o requirements.lock
	.venv/lock/bin/uv $(LOCK) -c requirements.lock -o requirements-image.lock
	rm -rf .venv/lock
	@! grep -n '://' requirements.lock requirements-image.lock

clean: ## Remove what can be made again; data in .metacortex stays
	rm -rf .venv .mypy_cache .pytest_cache .hypothesis .import_linter_cache build dist
	rm -rf .coverage .coverage.* htmlcov
	rm -rf $(CLIENT)/node_modules $(CLIENT)/dist $(LINT)/node_modules
	find . -name __pycache__ -prune -exec rm -rf {} +
