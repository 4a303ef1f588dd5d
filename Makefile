# `make` alone lists the targets. Each does its own set-up; only Python 3.11 or later is needed.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo test check bench crash model up lock clean

# The first interpreter that runs and is new enough; 3.12 and 3.11 have wheels for everything.
PYTHON ?= $(shell for p in python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
KILLS ?= 20

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.installed ## a whole day on a real Kafka and Redis, on this machine
	$(BIN)/dispatch demo

test: .venv/.installed ## all tests, on real servers; each process has servers of its own
	$(BIN)/python -m pytest -q -n 3 --dist loadscope --no-loadscope-reorder

check: .venv/.installed ## style, types, import rules, published schemas
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict dispatch
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -k schema

bench: .venv/.installed ## how fast it is, and compared with what
	$(BIN)/python -m benchmarks

crash: .venv/.installed ## kill workers in full run and count what was lost (KILLS=20)
	$(BIN)/python -m tests.crash --kills $(KILLS)

model: .venv/.installed ## train the model of triage anew from corpus/
	$(BIN)/python -m corpus.train

up: ## Kafka, Redis, a worker, Prometheus and Grafana in Docker
	docker compose up -d

lock: .venv/.installed ## resolve the dependencies anew
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --all-extras -o requirements.lock pyproject.toml

clean: ## remove what was built; data in .dispatch stay
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.installed: pyproject.toml requirements.lock
	@test -x $(BIN)/python || test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed." >&2; exit 1; }
	@test -x $(BIN)/python || { echo "creating .venv with $(PYTHON), a minute or two" >&2; $(PYTHON) -m venv .venv; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip --upgrade
	@echo "installing what requirements.lock says" >&2
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@
