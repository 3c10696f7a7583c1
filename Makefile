# `make help` lists the targets.
SHELL := /bin/sh
.DEFAULT_GOAL := help

# Keras 3 throughout: a user's switch to the old one would break saved models.
unexport TF_USE_LEGACY_KERAS
# Nor compile TensorFlow and TFX anew in each process: that doubles their start-up.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
# All that mypy checks: folders that hold Python, tests apart.
CODE = $(sort $(foreach folder,benchmarks components kubeflow ncf_model pipeline scripts,\
	$(if $(wildcard $(folder)/*.py $(folder)/*/*.py),$(folder)))) setup.py

# Given on the command line or in the environment, these reach the shell by themselves;
# quoted there, so that a path may hold any character.
RUN_FLAGS = $(if $(DATASET),--dataset "$$DATASET") $(if $(CONFIG),--config "$$CONFIG") \
	$(if $(OUT),--out "$$OUT") $(if $(DATA_DIR),--data-dir "$$DATA_DIR")

BENCH_FLAGS = $(if $(DATA_DIR),--data-dir "$$DATA_DIR") $(ARGS)

.PHONY: help setup setup-dev run test reliability bench audit test-current golden lint format \
	lock docs clean

help: ## List the targets and their variables
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  Any of them: PYTHON=python3.12 and LINE=current|older override what is chosen"

setup: ## Make .venv with the locked packages; does nothing if it is there
	@sh scripts/bootstrap.sh runtime

setup-dev: ## The same with the tools for tests and lint
	@sh scripts/bootstrap.sh dev

run: setup ## Run the pipeline: DATASET=, CONFIG=, OUT=, DATA_DIR=, ARGS="--set a.b=1"
	@$(BIN)/ncf run $(RUN_FLAGS) $(ARGS)

test: setup-dev ## Run the tests: ARGS="-k name", DATA_DIR=
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile \
		--no-loadscope-reorder $(ARGS)

reliability: setup-dev ## Attack runs: kills, full disks, odd files (hours): SEED=, ARGS=
	@NCF_RELIABILITY=full NCF_SEQUENCES=200 NCF_SEED="$${SEED:-17}" \
		$(BIN)/python -m pytest tests/reliability -n 0 $(ARGS)

bench: setup-dev ## Measure speed and what got slower: FULL=1 (all, with peers), ARGS=
	@if [ -n "$$FULL" ]; then \
		$(BIN)/python -m benchmarks.peers && \
		$(BIN)/python -m benchmarks.bench --full --peer build/peers/bin/python $(BENCH_FLAGS); \
	else $(BIN)/python -m benchmarks.bench $(BENCH_FLAGS); fi

audit: setup-dev ## Ask for known holes in the locked packages, where that can be asked
	@$(BIN)/python scripts/audit.py $(ARGS)

test-current: ## Run the tests on the current line, in a Debian 13 root (as root)
	@sh scripts/in_debian13.sh make test ARGS="$$ARGS"

golden: setup-dev ## Write the compiled pipelines that tests compare with; read the diff
	@UPDATE_GOLDEN=1 $(BIN)/python -m pytest -q -n 0 -k test_bytes \
		tests/pipeline/kfp/compile_test.py

lint: setup-dev ## Check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy $(CODE)

format: setup-dev ## Put the code into form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: ## Renew requirements/*.txt; UPGRADE=1 takes the newest releases
	@sh scripts/bootstrap.sh lock

docs: setup-dev ## Write the documentation as a site, build/docs/index.html
	$(BIN)/properdocs build --strict

clean: ## Remove .venv, .uv and what builds and tools leave; runs' output stays
	rm -rf .venv .uv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
