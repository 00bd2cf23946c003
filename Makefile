# One command for each thing people do here; `make` alone lists them. Needs python3 (3.11 or newer, with venv), git and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
EXTRAS := demo,xlsx,test,dev
JOBS ?= 3
# Seconds after which the tests are stopped, whatever they are doing.
TEST_TIMEOUT ?= 2400
BENCHMARKS := $(patsubst benchmarks/bench_%.py,bench-%,$(sort $(wildcard benchmarks/bench_*.py)))
# GNU timeout, where there is one: an interrupt first, so that pytest still says what it has seen.
LIMIT := $(shell command -v timeout >/dev/null 2>&1 && echo timeout --foreground --signal=INT --kill-after=20 $(TEST_TIMEOUT))
# Ahead of the tests, so that none of them waits for a download; without Java or Maven it says so and its tests are skipped.
FETCH_KAFKA := $(BIN)/python -m tests.support.kafka_broker fetch || [ -z "$$TPSCOPE_REQUIRE_ENGINES" ]

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help setup demo serve test soak lint format bench check-docs constraints compose-secret clean

help:  ## list these commands
	@echo 'make COMMAND, where COMMAND is one of:'
	@sed -n 's/^\([a-z%-]*\):[^#]*## \(.*\)$$/  \1@\2/p' $(MAKEFILE_LIST) | while IFS=@ read -r name text; do \
	    printf '  %-16s %s\n' "$$name" "$$text"; done

setup: $(VENV)/.installed-all  ## install everything, tests and tools too, into .venv
	@echo 'Ready: $(BIN)/tpscope --help'

demo: $(VENV)/.installed-demo  ## everything embedded, with simulated traffic; SCENARIO=marketflow|securewealth|edgestream RATE=N
	@$(BIN)/tpscope demo $(if $(SCENARIO),--scenario '$(SCENARIO)') $(if $(RATE),--rate '$(RATE)') $(ARGS)

serve: $(VENV)/.installed-demo  ## the service; CONFIG=file.yaml
	@$(BIN)/tpscope serve $(if $(CONFIG),--config '$(CONFIG)') $(ARGS)

# Also where the environment forbids to keep compiled modules: the tests start many processes of Python.
test soak: export PYTHONDONTWRITEBYTECODE :=
# The test processes fill the processors by themselves; more threads in each of them would only wait, busily, for one another.
test soak: export OPENBLAS_NUM_THREADS ?= 1

test: $(VENV)/.installed-all  ## all tests but the soak ones, 11 to 17 minutes on 2 cores; ARGS='-k name'
	@scripts/test-deps.sh
	@$(FETCH_KAFKA)
	@echo 'Running the tests on $(JOBS) processes, for $(TEST_TIMEOUT) s at most ...'
	@$(LIMIT) $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -m 'not soak' --durations 40 tests $(ARGS) || { status=$$?; \
	    if [ $$status -eq 124 ]; then echo 'make test: stopped after $(TEST_TIMEOUT) s; TEST_TIMEOUT=SECONDS allows more' >&2; fi; \
	    exit $$status; }

soak: $(VENV)/.installed-all  ## the long tests of faults
	@scripts/test-deps.sh
	@$(FETCH_KAFKA)
	@$(BIN)/python -m pytest -m soak --timeout 0 tests $(ARGS)

lint: $(VENV)/.installed-all  ## ruff, mypy --strict and the import contract
	@echo 'ruff check' && $(BIN)/ruff check --quiet .
	@echo 'ruff format --check' && $(BIN)/ruff format --check --quiet .
	@echo 'mypy --strict' && $(BIN)/mypy && $(BIN)/mypy $(wildcard tests benchmarks scripts)
	@echo 'lint-imports' && $(BIN)/lint-imports --no-logo

format: $(VENV)/.installed-all  ## put imports and layout in order
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

bench: $(BENCHMARKS)  ## every benchmark; bench-NAME runs benchmarks/bench_NAME.py alone
	@echo '$(words $(BENCHMARKS)) benchmarks done.'

bench-%: benchmarks/bench_%.py $(VENV)/.installed-all
	@echo '== $<'
	@$(BIN)/python -m benchmarks.bench_$* $(ARGS)

check-docs: $(VENV)/.installed-all  ## run the commands that README.md and docs/ mark for it
	@$(BIN)/python scripts/check_docs.py $(ARGS)

constraints:  ## resolve the newest versions and write constraints.txt
	@PYTHON='$(PYTHON)' scripts/make-constraints.sh

compose-secret: deploy/secrets/clickhouse_password deploy/secrets/web_token  ## make the secrets of docker-compose, once

clean:  ## remove .venv and what tools leave behind; data is kept
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The folder is closed to other users; the file in it is readable, since a container sees only the file, as another user.
deploy/secrets/clickhouse_password deploy/secrets/web_token:
	@umask 077 && mkdir -p deploy/secrets
	@$(PYTHON) -c 'import secrets; print(secrets.token_hex(24))' > $@ && chmod 644 $@
	@echo 'Written: $@'

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo 'make: $(PYTHON) is not here; install Python 3.11 or newer, or name one: PYTHON=/path' >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: tpscope needs Python 3.11 or newer, but $(PYTHON) is" \
	    "$$($(PYTHON) -V 2>&1); name a newer one: make PYTHON=python3.12 ..." >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) lacks venv; install it, on Debian:" \
	    "sudo apt-get install python3-venv" >&2; exit 2; }
	@echo "Making $(VENV) with $$($(PYTHON) -V) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 2; }

$(VENV)/.installed-demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo 'Installing what the service and the demo need (about 70 packages, a minute or so) ...'
	@$(PIP) install -c constraints.txt -e '.[demo,xlsx]'
	@touch $@

$(VENV)/.installed-all: pyproject.toml constraints.txt | $(BIN)/python
	@echo 'Installing everything, tests and tools too (about 100 packages, a minute or so) ...'
	@$(PIP) install -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $(VENV)/.installed-demo $@
