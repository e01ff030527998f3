# Every target sets up .venv by itself; nothing but Linux, make and Python 3.11 to 3.13 (with venv) is needed.
# Variables: PYTHON (interpreter), PORT (UI), ONCE=1 (demo ends by itself), KEEP=1 (demo goes on where it was),
# APPROVE=me (you approve in the demo), MODE (what the demo's payment gateway does, or its orders),
# ROUNDS (how often the benchmark measures, and chaos kills each process),
# GUARDS, PRESSES, CUT_PRESSES and IDLE_SECONDS (the red button's benchmark),
# FILES, MILLION, COLD and BENCH_DIR (the clean-up's benchmark: how many files, page cache dropped, where),
# ORDERS, SCALE, KILL_SECONDS and BACKLOG (the order processor's benchmark),
# SEED and POINTS (when and at which changes chaos kills; 3: the first three, 7,9-12: these),
# WORKERS (how many processes run tests, or releases that chaos kills, at once),
# KUBECONFIG and IMAGE (conformance on a real cluster), ARGS (more arguments for pytest or releases).

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.PHONY: help demo gateway orders test test-all lint types imports unit conformance e2e releases chaos bench-release bench-red-button bench-orders bench-cleanup images deps requirements clean venv venv-dev

export PYTHON PORT ONCE KEEP APPROVE
ANY_PYTHON := $(shell command -v python3 || command -v python3.13 || command -v python3.12 || command -v python3.11)
BIN := .venv/bin
# Temporary files stay in the checkout; a KUBECONFIG of the user's shell is not a wish to test on that cluster.
TESTENV := env -u KUBECONFIG -u IMAGE TMPDIR="$(CURDIR)/.test/tmp"
# Whole files go to the processes that run tests, the longest first (tests/conftest.py).
AT_ONCE = -n $(or $(WORKERS),2) --dist loadfile --no-loadscope-reorder
PYTEST = $(BIN)/python -m pytest --basetemp=.test/pytest

help: ## list the targets
	@awk -F ":.*## " "/^[a-z0-9-]+:.*## / {printf \"  make %-17s %s\\n\", \$$1, \$$2}" Makefile

demo: venv ## cluster, Airflow, two releases through qa to production; up until Ctrl-C (PORT=, ONCE=1, KEEP=1, APPROVE=me)
	@$(BIN)/python -m tools.demo

gateway: venv ## break the demo's payment gateway, or put it right (MODE=refuse, reset, timeout, 500, tls, ok)
	@$(BIN)/python -m tools.demo.gateway $(or $(MODE),refuse)

orders: venv ## give the demo's orders something to do or to fail at (MODE=poison, systemic, burst, ok)
	@$(BIN)/python -m tools.demo.orders $(or $(MODE),poison)

test: venv-dev ## lint, types, import rules, unit, conformance and end-to-end tests
	@$(MAKE) lint types imports
	@mkdir -p .test/tmp
	@$(TESTENV) $(PYTEST) $(AT_ONCE) $(ARGS) -m "not long" tests

test-all: venv-dev ## make test and what takes longer
	@$(MAKE) lint types imports
	@mkdir -p .test/tmp
	@$(TESTENV) $(PYTEST) $(AT_ONCE) $(ARGS) tests

lint: venv-dev ## ruff: rules and format
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: venv-dev ## mypy, strict
	@$(BIN)/mypy

imports: venv-dev ## dags -> plugins -> include, and include without Airflow
	@$(BIN)/lint-imports

unit: venv-dev ## tests of single modules
	@mkdir -p .test/tmp
	@$(TESTENV) $(PYTEST) $(AT_ONCE) $(ARGS) -m "not long" --ignore=tests/conformance --ignore=tests/e2e tests

conformance: venv-dev ## tests of the cluster's behaviour; KUBECONFIG= IMAGE= runs them on a real cluster
	@mkdir -p .test/tmp
ifneq ($(filter command,$(origin KUBECONFIG))$(and $(KUBECONFIG),$(IMAGE)),)
	@TMPDIR="$(CURDIR)/.test/tmp" KUBECONFIG="$(KUBECONFIG)" IMAGE="$(IMAGE)" $(PYTEST) $(ARGS) tests/conformance
else
	@$(TESTENV) $(PYTEST) $(ARGS) tests/conformance
endif

e2e: venv-dev ## the demo as a newcomer runs it
	@mkdir -p .test/tmp
	@$(TESTENV) $(PYTEST) $(ARGS) tests/e2e

releases: venv ## the last deploys, and whether they are what runs now (ARGS="--environment qa --limit 5")
	@$(BIN)/python -m include.records releases $(ARGS)

chaos: venv-dev ## kill a release at every change, and its processes at seeded times (POINTS=, SEED=, WORKERS=, PARTS=)
	@mkdir -p .test/tmp
	@$(TESTENV) $(BIN)/python -m tests.chaos

bench-release: venv ## the release DAG beside a script, and the shop under load meanwhile (ROUNDS=3); last line is JSON
	@mkdir -p .test/tmp
	@$(TESTENV) $(BIN)/python -m tools.bench

bench-red-button: venv ## seconds to a press with so many guards, and with the watch cut (GUARDS=1,100 PRESSES=50 KUBECONFIG=)
	@mkdir -p .test/tmp
ifeq ($(origin KUBECONFIG),command line)
	@TMPDIR="$(CURDIR)/.test/tmp" $(BIN)/python -m tools.bench_red_button
else
	@$(TESTENV) $(BIN)/python -m tools.bench_red_button
endif

bench-orders: venv ## orders against the theoretical drain time, killed workers, claims a second (ORDERS=400 SCALE=0.1 KILL_SECONDS=3)
	@mkdir -p .test/tmp
	@$(TESTENV) $(BIN)/python -m tools.bench_orders

bench-cleanup: venv ## the log clean-up beside find, tmpreaper and tar, and its memory (FILES=200000 ROUNDS=3 MILLION=1000000 COLD=1 BENCH_DIR=)
	@mkdir -p .test/tmp
	@$(TESTENV) $(BIN)/python -m tools.bench_cleanup

images: venv ## build the shop's images into .images/ and write their lock file
	@$(BIN)/python -m include.release.lock_images --images-dir .images

deps: ## Debian packages that some tests need (root or sudo)
	@sh tools/deps.sh

requirements: ## pin requirements*.in again (needs uv)
	@sh tools/pin.sh

clean: ## remove everything that was made here, .venv too
	@$(if $(ANY_PYTHON),$(ANY_PYTHON) tools/no_demo.py .demo)
	@rm -rf .venv .venv.lock .venv.log .demo .test .images .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv:
	@$(if $(ANY_PYTHON),$(ANY_PYTHON) tools/bootstrap.py base,echo "error: no python3 found; needs Python 3.11 to 3.13" >&2; exit 1)

venv-dev:
	@$(if $(ANY_PYTHON),$(ANY_PYTHON) tools/bootstrap.py dev,echo "error: no python3 found; needs Python 3.11 to 3.13" >&2; exit 1)
