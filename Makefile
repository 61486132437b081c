# Every target works on a fresh clone: it makes its own virtual environment first. Needed: Python >= 3.11, make, and an
# index to install packages from.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed

.PHONY: site site-tools viewer-tools storage-tools demo test test-quick coverage coverage-base crash lint format fuzz bench bench-quick dist release-check docs clean help

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: $(READY) ## the tour: what the program does, on an embedded server
	@$(BIN)/manabackup demo

# Three at a time: some tests wait for a deadline or a disk, and two cores have time for others meanwhile.
test: $(READY) ## all tests, on two cores
	@$(BIN)/python -m pytest -n 3 --dist worksteal

# Left out is what tries one thing in very many ways, what waits, and what starts whole programs: every fault at every
# request, a death at every step, every bit flipped, every moment at which somebody may edit a row, findings of the fuzzers,
# whole commands, browsers, and outputs that the documents show.
LONG := $(addprefix tests/,crash docs e2e faults fuzz viewer archive/classification archive/test_hostile.py \
	archive/test_limits.py cli/test_files.py conversion/test_command.py mirror/test_mirror_damage.py \
	model/projection/test_projection_properties.py operations/compare/test_roundtrip.py operations/pull/test_pull.py \
	operations/pull/test_pull_large.py operations/restore/test_meanwhile.py operations/test_progress.py \
	project/test_project.py rows/test_marks.py sandbox/test_generator.py \
	$(addprefix storage/test_,ceph.py folders.py full_disk.py objects.py unfinished.py))
test-quick: $(READY) ## the tests that say most in the least time
	@$(BIN)/python -m pytest -n 3 --dist worksteal $(addprefix --ignore=,$(LONG))

# Percent of lines and branches, as they are.
FLOOR := 88
BASE_FLOOR := 88

# Measured is what most people run, in all its processes; some three times as long as without. Processes that tests kill leave
# data that cannot be read, of which coverage warns.
coverage: $(READY) ## lines and branches of the package that these tests do not run; fails below a floor
	@rm -f .coverage .coverage.*
	@$(BIN)/python -m coverage run -m pytest -n 3 --dist worksteal $(addprefix --ignore=,$(LONG))
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage report --fail-under=$(FLOOR)

# What no command is needed for, by its own tests: short enough for every run of .ci/run.
BASE := text crypto model host archive rows mirror remote storage conversion
coverage-base: $(READY) ## the same of the floors below the use cases, in a third of the time
	@rm -f .coverage .coverage.*
	@$(BIN)/python -m coverage run -m pytest -n 3 --dist worksteal -q $(addprefix tests/,$(BASE)) $(addprefix --ignore=,$(LONG))
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage report --fail-under=$(BASE_FLOOR) --include="$$(printf 'manabackup/%s/*,' $(BASE))"

crash: $(READY) ## kill and fail every file-system step of every command; takes hours
	@MANABACKUP_CRASH_STEPS=all MANABACKUP_KILL_ROUNDS=200 $(BIN)/python -m pytest -n 2 --dist worksteal \
		-o faulthandler_timeout=0 tests/crash

# Of arguments only those without a name are counted, five at most: what is said by name where it is given is no burden. To
# commands click gives all by name.
lint: $(READY) ## style, formatting, types, floors
	@$(BIN)/ruff check .
	@$(BIN)/ruff check --quiet --preview --select PLR0917 --exclude manabackup/cli manabackup benchmarks
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

# Node and the browsers themselves are the system's: apt-get install nodejs npm chromium firefox-esr
viewer-tools: $(READY) ## what the viewer's tests drive browsers and check types with
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,browsers]'
	@npm ci --prefix tests/viewer/tools --silent --no-audit --no-fund

storage-tools: ## what the tests of far places start besides servers of the system's
	@npm ci --prefix tests/storage/tools --silent --no-audit --no-fund

format: $(READY) ## put the sources into the house's form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# SECONDS in all; every target gets an equal part.
SECONDS ?= $(or $(MANABACKUP_FUZZ_SECONDS),600)
fuzz: $(READY) ## coverage-guided fuzzing, SECONDS=600
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,fuzz]'
	@MANABACKUP_FUZZ_SECONDS=$(SECONDS) $(BIN)/python -m tests.fuzz

bench: $(READY) ## speed and memory at full size
	@$(BIN)/python -m benchmarks

bench-quick: $(READY) ## the same at a size for a coffee break
	@$(BIN)/python -m benchmarks --quick

dist: $(READY) ## wheel, source archive, and the program in one file, into dist/
	@$(BIN)/python -m tests.project.release dist

release-check: $(READY) ## what make dist makes: listed, made twice, installed in every way that README names, tried
	@$(BIN)/python -m tests.project.release

docs: $(READY) ## write reference, manual pages, and outputs that README and guide show, anew
	@$(BIN)/python docs/make_reference.py
	@$(BIN)/manabackup man -o man --force --quiet >/dev/null
	@$(BIN)/python -m tests.docs

site-tools: $(READY) ## what the documents become a site with
	@$(BIN)/python -c 'import furo, myst_parser, sphinx' 2>/dev/null || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,docs]'

# Strict: a link that leads nowhere, or a page that none leads to, ends it.
site: site-tools ## the documents as a site that needs no network, into build/site
	@$(BIN)/python -m sphinx --quiet --fresh-env --fail-on-warning --keep-going -b html -c docs -d build/doctrees . build/site
	@$(BIN)/python -m tests.docs.site build/site

clean: ## remove what the other targets made
	rm -rf $(VENV) .postgresql build dist manabackup-demo manabackup-demo-* .pytest_cache .mypy_cache .ruff_cache .hypothesis .fuzz .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last: an installation that broke off is begun again.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python >= 3.11 is needed: make PYTHON=python3.x" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo 'installing into $(VENV) (once; again when pyproject.toml has changed)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
