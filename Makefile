# All that these targets make lies in .venv, node_modules, .cache and build outputs: `make clean` removes it.
.DEFAULT_GOAL := help
.PHONY: help dev demo test check bench lock api format clean
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
BIN    := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_CACHE_DIR := $(CURDIR)/.cache/pip
export UV_CACHE_DIR := $(CURDIR)/.cache/uv
export YARN_CACHE_FOLDER := $(CURDIR)/.cache/yarn
export YARN_ENABLE_MIRROR := 0
export YARN_ENABLE_TELEMETRY := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1
SOURCES := $(shell find labextension/src labextension/style labextension/schema -type f 2>/dev/null) labextension/tsconfig.json package.json
COMPILE = $(BIN)/uv pip compile -q pyproject.toml --extra test --group build --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'
say = @printf '%s\n' "$(1)"
# Quiet unless it fails: then the whole log.
quiet = @mkdir -p .cache; ($(1)) >.cache/$(@F).log 2>&1 || { cat .cache/$(@F).log; exit 1; }

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1 : /p' $(MAKEFILE_LIST)

.venv/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	$(call quiet,$(PYTHON) -m venv .venv && touch $@)

.venv/packages: requirements/dev.txt .venv/pyvenv.cfg
	$(call say,Python packages)
	$(call quiet,test -x $(BIN)/uv || pip install uv; uv pip install --python $(BIN)/python --require-hashes -r requirements/dev.txt)
	@touch $@

node_modules/.yarn-state.yml: yarn.lock package.json .venv/packages
	$(call say,Browser packages)
	$(call quiet,jlpm install --immutable)
	@touch $@

.venv/extension: $(SOURCES) node_modules/.yarn-state.yml
	$(call say,Browser extension)
	$(call quiet,jlpm build)
	@touch $@

.venv/installed: pyproject.toml .venv/extension
	$(call quiet,SKIP_JUPYTER_BUILDER=1 uv pip install --python $(BIN)/python --no-deps --no-build-isolation -e .)
	@touch $@

dev: .venv/installed ## install everything needed to work on it, into this folder
demo: .venv/installed ## publish and run a cell of a real notebook, then open JupyterLab on it (ONCE=1: end instead)
	@mkdir -p .cache/demo
	@SLIPWAY_HOME=$(CURDIR)/.cache/demo/home jupyter slipway demo --folder .cache/demo/work $(if $(ONCE),--once)
test: .venv/installed ## run the tests
	$(call quiet,jlpm test)
	@$(BIN)/python -m pytest -q -m 'not e2e' -n auto --dist loadfile --no-loadscope-reorder
	@$(BIN)/python -m pytest -q -m e2e -n auto --dist loadfile --no-loadscope-reorder
check: .venv/installed ## everything that can be said without running it
	@ruff check . && ruff format --check -q .
	@mypy
	@lint-imports --no-cache >.cache/imports.log || { cat .cache/imports.log; exit 1; }
	@python -m jupyter_slipway.openapi >.cache/openapi.json && cmp .cache/openapi.json labextension/openapi.json || { echo 'labextension/openapi.json is old: make api'; exit 1; }
	@node_modules/.bin/openapi-typescript labextension/openapi.json --empty-objects-unknown -o .cache/schema.ts >/dev/null 2>&1 && cmp .cache/schema.ts labextension/src/api/schema.ts || { echo 'labextension/src/api/schema.ts is old: make api'; exit 1; }
	@jlpm lint
	@cp requirements/dev.txt .cache/dev.txt && $(COMPILE) -o .cache/dev.txt && cmp requirements/dev.txt .cache/dev.txt
bench: .venv/installed ## measure, beside the peers
	@for file in benchmarks/*.py; do echo; echo "$$file"; python $$file || exit 1; done
api: .venv/packages ## write the API's document and its TypeScript types anew
	@PYTHONPATH=src python -m jupyter_slipway.openapi >labextension/openapi.json
	@jlpm api
format: .venv/packages ## format and fix what can be
	@ruff check -q --fix . ; ruff format -q .
	@jlpm lint:fix
lock: .venv/packages ## resolve the packages anew
	@$(COMPILE) --upgrade -o requirements/dev.txt
clean: ## remove all that these targets made
	@rm -rf .venv node_modules .cache .yarn test-results labextension/lib labextension/tsconfig.tsbuildinfo src/jupyter_slipway/labextension
