# The Python that makes the virtual environment, and the one in it.
PYTHON3 ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTHON := $(BIN)/python
LOCK := requirements/dev.txt
# What makes the site and the plots has an environment of its own: nobody else needs it.
DOCS := .venv-docs
# What the site is made from, and where it goes.
SITE_SOURCE := .
SITE := build/site
# The last file that compiling pause writes.
PAUSE := agtool/pause/data/syscalls.h

# What the full folder leaves out, since agtool never imports it: what the client of Kubernetes has for asyncio,
# SQLAlchemy too, what Rich has for Markdown and source code, what makes bindings of C, and time zones.
NOT_IN_FULL := aiohttp aiohttp-retry aiosignal frozenlist multidict yarl propcache attrs aiohappyeyeballs greenlet \
	pygments markdown-it-py mdurl pycparser tzdata colorama

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
# One kind of test at once, also with `make -j`. Of those with servers three run side by side: they mostly wait.
.NOTPARALLEL:
.PHONY: help venv demo test system lint schemas reference types unit model servers clusters kubernetes cluster cluster-down compatibility tools images chaos chaos-taints chaos-sessions fuzz sanitize coverage docs site recordings bench plots bundle dist release-test format lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(VENV)/.made ## make .venv from the lock, with agtool in it (editable)

# The stamp comes last: an interrupted installation is made anew.
$(VENV)/.made: $(LOCK) pyproject.toml setup.py
	@$(PYTHON3) -c 'import ensurepip' 2>/dev/null || tests/install-system-packages.sh python3-venv
	@echo "Making $(VENV) from $(LOCK) (about a minute) ..."
	@$(PYTHON3) -m venv --clear $(VENV)
	@$(PYTHON) -m pip --quiet --quiet --disable-pip-version-check install --require-hashes --requirement $(LOCK)
	@$(PYTHON) -m pip --quiet --quiet --disable-pip-version-check install --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
	@touch $@

# The editable installation compiles pause too; this does it again after a change to its sources.
$(PAUSE): $(VENV)/.made pause/pause.c pause/syscalls.h pause/build.py
	@$(PYTHON) pause/build.py $(@D)

demo: venv ## see migrate-once at work, with no database server needed
	@$(PYTHON) docs/tutorial/five_replicas/run.py

# Kubernetes, where it is not built yet, is built beside the tests that need no cluster.
test: system lint types unit model ## everything that CI checks
	@$(PYTHON) -m tests.cluster build --beside $(MAKE) --no-print-directory servers
	@$(MAKE) --no-print-directory clusters

system: ## install the servers that tests start (as root on Debian; else says what is missing)
	@tests/install-system-packages.sh

lint: venv ## style, format, the direction of imports, and whether what is made from the code is up to date
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(PYTHON) -m tests.schemas --check
	@$(PYTHON) -m release --check

schemas: venv ## make the JSON Schemas and their page from the commands' types
	@$(PYTHON) -m tests.schemas

reference: venv ## make the tables of docs/reference from the commands
	@$(PYTHON) -m release
	@$(PYTHON) -m tests.url_options

# What cannot run on Windows. What leads there refuses with words: agtool/core/system.py.
NOT_ON_WINDOWS := ^agtool/(install\.py|core/process/|debug/session/|le_staging/browser/|migrate_once/(?!inject/|cluster/|cli/(inject|status)))

types: venv ## mypy, strict; for macOS too, and for Windows what runs there
	@$(BIN)/mypy
	@$(BIN)/mypy --platform darwin agtool
	@$(BIN)/mypy --platform win32 --no-warn-unreachable --follow-imports silent --exclude '$(NOT_ON_WINDOWS)' agtool

model: venv system ## check the model of the lock: no state may break its promises, and each mutant must (a minute)
	@$(PYTHON) -m tests.model

unit: venv $(PAUSE) ## tests that need nothing but Python
	@$(PYTHON) -m pytest tests/unit

servers: venv system $(PAUSE) ## tests with real servers, and of the installed agtool, that need no cluster
	@$(PYTHON) -m pytest --numprocesses 3 --dist loadfile -m 'not kubernetes' tests/integration
	@$(PYTHON) -m pytest --numprocesses 3 -m 'not kubernetes' tests/e2e

# Two side by side, with a cluster each: they mostly wait for pods.
clusters: kubernetes $(PAUSE) ## tests with a Kubernetes cluster
	@$(PYTHON) -m pytest --numprocesses 2 --dist loadfile -m kubernetes tests/integration tests/e2e

kubernetes: venv system ## build Kubernetes from its Go modules, once (8 to 15 minutes)
	@$(PYTHON) -m tests.cluster build

cluster: venv system $(PAUSE) ## start a Kubernetes cluster to play with (as root), or mend it
	@$(PYTHON) -m tests.cluster up

cluster-down: venv ## stop that cluster
	@$(PYTHON) -m tests.cluster down

# Twice from the same commit: the same bytes.
bundle: venv $(PAUSE) ## make dist/agtool-VERSION-linux-{amd64,arm64}.tar.gz and an image: agtool for any image; agtool-full: all commands
	@$(PYTHON) -m bundle dist
	@$(PYTHON) -m bundle dist --full

# From the last commit. SIGN: a private key of ssh-keygen. REPOSITORY: the address that stands in the package, and in krew's manifest.
dist: venv ## make all of a release in dist/: packages, folders, images, charts, manual, sums (SIGN=KEY REPOSITORY=URL)
	@$(PYTHON) -m release.dist dist $(if $(REPOSITORY),--repository "$(REPOSITORY)") $(if $(SIGN),--sign "$(SIGN)")

# Not part of `test`: it takes a quarter of an hour, and the network for the first time.
release-test: kubernetes ## make a release twice, and use it as who has only its files: install, complete, read, run, verify
	@$(PYTHON) -m pytest tests/release

# PARTS: some of python, postgresql, mysql, kubernetes. Not part of `test`: it takes an hour or more, and the network.
compatibility: venv system $(PAUSE) ## tests on other versions: Python, PostgreSQL, MySQL, Kubernetes (PARTS=...)
	@$(PYTHON) -m tests.compatibility $(PARTS)

# PARTS: some of the folders in tests/tools. Not part of `test`: it takes half an hour, and the network for the first time.
tools: venv system $(PAUSE) ## tests with tools that people use: for migrations, to start browsers, and programs that `env` is for (PARTS=...)
	@$(PYTHON) -m tests.tools $(PARTS)

# PARTS: some of the names in tests/images/applications.py. Not part of `test`: it takes a quarter of an hour, and the network.
images: kubernetes $(PAUSE) ## tests of migrate-once in images of other languages, and of watch in its own, on a cluster (PARTS=...)
	@$(PYTHON) -m tests.images $(PARTS)

# ENGINES: some of postgresql, pgbouncer, mariadb, sqlite. FIRST, KEEP: what a violation prints, to repeat it.
chaos: venv system $(PAUSE) ## strike replicas of migrate-once, and look for two at work (ROUNDS=... SEED=... ENGINES=...)
	@$(PYTHON) -m tests.e2e.migrate_once.chaos --rounds $(or $(ROUNDS),100) $(if $(SEED),--seed $(SEED)) \
		$(if $(ENGINES),--engines $(ENGINES)) $(if $(FIRST),--first $(FIRST)) $(if $(KEEP),--keep $(KEEP)) \
		$(if $(LANES),--lanes $(LANES)) $(if $(SECONDS_EACH),--seconds $(SECONDS_EACH))

chaos-taints: kubernetes ## let ci-nodepool race two controllers that write taints, and look for a lost one (WRITES=...)
	@AGTOOL_CHAOS_WRITES=$(or $(WRITES),2000) $(PYTHON) -m pytest -rP tests/e2e/ci_nodepool/test_many.py -k another_controller

# FIRST: the first session's number; a violation prints it. RESULTS: a file, to make one table of several runs.
chaos-sessions: kubernetes $(PAUSE) ## end sessions of debug in random ways, and look for what is left, runs on or is untrue (SESSIONS=... SEED=...)
	@$(PYTHON) -m tests.e2e.debug.chaos --sessions $(or $(SESSIONS),100) $(if $(SEED),--seed $(SEED)) \
		$(if $(FIRST),--first $(FIRST)) $(if $(LANES),--lanes $(LANES)) \
		$(if $(SECONDS_EACH),--seconds $(SECONDS_EACH)) $(if $(RESULTS),--results $(RESULTS))

# TARGETS: some of the files in tests/fuzz/targets. SECONDS_EACH: 3 for each of them, one minute for all.
fuzz: venv $(PAUSE) ## look for input that breaks a parser, guided by coverage (TARGETS=... SECONDS_EACH=...)
	@$(PYTHON) -m tests.fuzz --seconds $(or $(SECONDS_EACH),3) $(TARGETS)

# `address` has a library that handles faults itself, starts slowly, and is not in an empty root: so without those tests.
sanitize: venv system ## tests of pause with the sanitizers, and a proof for its pure parts (Frama-C)
	@PAUSE_SANITIZER=undefined $(PYTHON) -m pytest tests/integration/pause/test_{options,signals,children,limits}.py
	@PAUSE_SANITIZER=address $(PYTHON) -m pytest -k 'not (a_fault_is or no_early or without_a_device)' \
		tests/integration/pause/test_{options,signals,children,limits}.py
	@tests/install-system-packages.sh frama-c-base
	@frama-c -eva -eva-precision 11 -eva-slevel 3000 -eva-auto-loop-unroll 600 -no-warn-pointer-downcast \
		-machdep gcc_x86_64 tests/integration/pause/eva.c | grep -A99 'ANALYSIS SUMMARY' | tee /dev/stderr | grep -q ' 0 alarms'

coverage: venv system $(PAUSE) ## run all tests and show what of agtool they leave out
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

docs: site venv ## make the site in build/site, and look at it with Chromium; pictures go to build/screenshots
	@tests/install-system-packages.sh chromium
	@$(PYTHON) -m tests.schemas --check
	@$(PYTHON) -m release --check
	@$(PYTHON) -m pytest tests/unit/test_documentation.py tests/site

# A warning is an error: a broken link or anchor, a page that docs/index.md does not list.
site: $(DOCS)/.made
	@rm -rf "$(SITE)" "$(SITE).doctrees"
	@$(DOCS)/bin/python -m sphinx -q -W --keep-going -c docs/site -d "$(SITE).doctrees" "$(SITE_SOURCE)" "$(SITE)"
	@rm -rf "$(SITE).doctrees"

# PARTS: some of the scenes in tests/recordings/scenes.py. As root; two minutes.
recordings: kubernetes $(PAUSE) $(DOCS)/.made ## record real runs as pictures that move, in docs/recordings (PARTS=...)
	@$(PYTHON) -m tests.recordings $(PARTS)

$(DOCS)/.made: requirements/docs.txt
	@$(PYTHON3) -c 'import ensurepip' 2>/dev/null || tests/install-system-packages.sh python3-venv
	@$(PYTHON3) -m venv --clear $(DOCS)
	@$(DOCS)/bin/python -m pip --quiet --quiet --disable-pip-version-check install --require-hashes --requirement requirements/docs.txt
	@touch $@

bench: venv $(PAUSE) ## measure all commands on real servers and beside their like: curl, kubectl, other inits
	@$(PYTHON) -m tests.cluster build
	@$(PYTHON) -m compileall -q agtool # as pip does, also where PYTHONDONTWRITEBYTECODE is set
	@$(PYTHON) -m bench.migrate_once
	@$(PYTHON) -m bench.le_staging
	@tests/install-system-packages.sh tini dumb-init catatonit
	@$(PYTHON) -m bench.pause --write
	@$(PYTHON) -m bench.ci_nodepool --write
	@$(PYTHON) -m bench.debug --write
	@$(PYTHON) -m bench.bundle --write
	@$(PYTHON) -m bench.start
	@$(MAKE) --no-print-directory plots

plots: venv $(DOCS)/.made ## draw the figures of all benches beside their peers, in docs/reference/plots
	@$(PYTHON) -m bench.plots

format: venv ## format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

# Universal: one file for every supported Python. The header names only the command below, no index and no machine.
lock: venv ## remake requirements/*.txt, bundle/debian.lock and the tests' go.sum with the newest versions that are allowed
	@$(BIN)/uv pip compile --no-config --upgrade --universal --python-version 3.10 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --extra mysql --extra dev \
		--custom-compile-command "make lock" --quiet --output-file $(LOCK) pyproject.toml
	@$(BIN)/uv pip compile --no-config --universal --python-version 3.10 \
		--generate-hashes --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make lock" --quiet --output-file requirements/go.txt requirements/go.in
	@$(BIN)/uv pip compile --no-config --universal --python-version 3.11 --constraint $(LOCK) --no-annotate \
		--generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-emit-package greenlet --no-emit-package pygments --no-emit-package markdown-it-py \
		--no-emit-package mdurl --no-emit-package colorama \
		--custom-compile-command "make lock" --quiet --output-file requirements/bundle.txt requirements/bundle.in
	@$(BIN)/uv pip compile --no-config --universal --python-version 3.11 --constraint $(LOCK) --no-annotate \
		--generate-hashes --no-emit-index-url --no-emit-find-links --extra mysql \
		$(addprefix --no-emit-package ,$(NOT_IN_FULL)) \
		--custom-compile-command "make lock" --quiet --output-file requirements/bundle-full.txt pyproject.toml
	@$(BIN)/uv pip compile --no-config --upgrade --universal --python-version 3.10 \
		--generate-hashes --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make lock" --quiet --output-file requirements/docs.txt requirements/docs.in
	@$(PYTHON) -m bundle.debian
	@for file in tests/tools/*/requirements.in tests/fuzz/requirements.in; do \
		$(BIN)/uv pip compile --no-config --upgrade --universal --python-version 3.10 \
			--generate-hashes --no-emit-index-url --no-emit-find-links \
			--custom-compile-command "make lock" --quiet --output-file "$${file%.in}.txt" "$$file"; \
	done
	@$(PYTHON) -m tests.cluster lock

clean: ## remove what was built
	@rm -rf $(VENV) $(DOCS) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@rm -rf agtool/pause/data pause/build pause/pause
	@rm -f .coverage .coverage.*
	@find agtool tests bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
