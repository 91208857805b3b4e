# Each target creates the environments that it needs; a changed pin recreates them.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
# The environments hold all that is needed: no other package of the caller's may stand before theirs. Bytecode is kept:
# without it, each of the many processes that tests start compiles its modules again.
unexport PYTHONHOME PYTHONPATH PYTHONSAFEPATH PYTHONDONTWRITEBYTECODE
# Those that know sosw, and those of the listing: they depend on the order in which asyncio runs tasks.
SOSW3_TESTS := tests/unit/test_app.py tests/unit/siblings tests/unit/listing tests/integration/test_chain_i.py \
	tests/integration/test_sosw_siblings_i.py

# An environment is made from locks; its stamp is keyed to their content and to the interpreter.
key = $(shell { cat $(1:%=requirements/%.txt); $(PYTHON) -V 2>&1; } | sha256sum | cut -c1-12)
# .venv is created in two stages: the package's requirements, which are enough to run it, and a developer's tools.
RUN := .venv/.run-$(call key,run dev)
DEV := .venv/.dev-$(call key,run dev)
EMULATOR := .venv-emulator/.installed-$(call key,emulator)
SWIFT := .venv-swift/.installed-$(call key,swift)
STORES := .venv-stores/.installed-$(call key,stores)
DOCS := .venv-docs/.installed-$(call key,docs)
LEAST := .venv-least/.installed-$(call key,least)
TOOLS := .venv-tools/.installed-$(call key,tools)

define make_venv
	@requirements/install --anew $(2) requirements/$(1).txt "$(PYTHON)" "$(3)" $@
endef

$(RUN):
	$(call make_venv,run,.venv,the package and what it needs)

$(DEV): $(RUN)
	@requirements/install .venv requirements/dev.txt "$(PYTHON)" "those and the tools for tests and benchmarks" $@

$(EMULATOR):
	$(call make_venv,emulator,.venv-emulator,the embedded AWS)

$(SWIFT):
	$(call make_venv,swift,.venv-swift,a second S3 for the tests)

$(STORES):
	$(call make_venv,stores,.venv-stores,two more S3 servers for the tests)

$(DOCS):
	$(call make_venv,docs,.venv-docs,the documentation as a site)

$(TOOLS):
	$(call make_venv,tools,.venv-tools,the libraries of the examples for other tools)

$(LEAST):
	$(call make_venv,least,.venv-least,the least versions that setup.py allows)

# sosw 3 needs Python 3.12: its environment is made where the machine has one. The stack deploys on 3.13.
SOSW3_PYTHON ?= $(firstword $(shell \
	for python in python3.13 python3.12 $(HOME)/.pyenv/versions/3.13.*/bin/python $(HOME)/.pyenv/versions/3.12.*/bin/python; do \
	$$python -c 'import sys; sys.exit(not (3, 12) <= sys.version_info < (3, 14))' && echo $$python; done 2>/dev/null))
SOSW3 := $(if $(SOSW3_PYTHON),.venv-sosw3/.installed-$(call key,sosw3))

.venv-sosw3/.installed-%:
	@requirements/install --anew .venv-sosw3 requirements/sosw3.txt "$(SOSW3_PYTHON)" "sosw 3, and what its tests need" $@

.PHONY: install
install: $(DEV) $(EMULATOR) $(SWIFT)  ## make the environments for tests, from locks with hashes

.PHONY: run
run: $(RUN) $(EMULATOR)  ## the main job for real, on an emulated AWS (KEYS=n, FROM=folder, CHAINS=n)
	@$(BIN)/python -m dev run $(if $(KEYS),--keys $(KEYS)) $(if $(CHAINS),--chains $(CHAINS)) $(if $(FROM),--from "$(FROM)")

.PHONY: tester
tester: $(RUN) $(EMULATOR)  ## a page to run it, break it and look at it, on an emulated AWS (PORT=n)
	@$(BIN)/python -m dev tester $(if $(PORT),--port $(PORT))

.PHONY: lint
lint: $(DEV) docs  ## ruff, mypy strict, the import contracts, cfn-lint and the links of the documentation
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/cfn-lint cloudformation/*.yaml

.PHONY: docs
docs: $(DOCS)  ## the documentation as a site, in .work/site; a broken link fails
	@NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet

# Percent of the code that runs in Lambda; pyproject.toml has the floor of the whole installation.
PROCESSOR_COVERAGE := 97

# Each process begins with neighbouring tests: most modules start their servers once. Where that takes half a minute,
# --dist loadfile gives each module to one process.
PYTEST := -m pytest -n 2 --dist worksteal

# Parallel targets print one after another, where make supports it: macOS's own is too old.
SYNC := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

# Separate targets, so that `make --jobs=3 environments` takes only as long as the slowest.
.PHONY: environments
environments: install $(STORES) $(DOCS) $(TOOLS) $(SOSW3)

.PHONY: test
test: environments  ## lint, then every test with the coverage floors: unit, integration, simulation, end to end, sosw 3
	@$(MAKE) --no-print-directory --jobs=2 $(SYNC) lint sosw3
ifdef ARGS
	@$(BIN)/python $(PYTEST) $(ARGS)
else
	@$(BIN)/python $(PYTEST) -n 3 tests/unit tests/integration --cov
	@$(BIN)/coverage report --include='processor/*' --fail-under=$(PROCESSOR_COVERAGE) --format=total
	@$(BIN)/python $(PYTEST) -n 3 --dist loadfile tests/simulation tests/e2e
endif

# What differs between sosw 0.7 and 3: the base class, its handler, the siblings, and who closes a task.
.PHONY: sosw3
sosw3: $(SOSW3)  ## the tests that involve sosw, again on sosw 3 and a newer Python
	@$(if $(SOSW3_PYTHON),.venv-sosw3/bin/python $(PYTEST) $(SOSW3_TESTS),echo "no Python 3.12 here: sosw 3 is not tested")

.PHONY: least
least: install $(LEAST)  ## unit and integration tests with the least versions that setup.py allows (before a release)
	@.venv-least/bin/python $(PYTEST) tests/unit tests/integration

.PHONY: soak
soak: install  ## continue with new seeds of the fault simulation, more examples, then kills of real runtimes: MINUTES=n KILLS=n
	@$(BIN)/python -m tests.simulation --minutes $(or $(MINUTES),5)
	@EXAMPLES=10 $(BIN)/python $(PYTEST) tests/unit/chain/test_execution.py tests/unit/listing/test_range_listing.py \
		tests/unit/signing/test_response.py
	@KILLS=$(or $(KILLS),60) KILLS_SEED=$$(date +%s) $(BIN)/python -m pytest tests/e2e/test_kills.py

.PHONY: bench
bench: install $(STORES)  ## measure this and its peers side by side; writes the table and the chart
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: package
package: $(RUN)  ## the Lambda zip for deployment, in dist/ (ARCH=arm64, RUNTIME=python3.13)
	@$(BIN)/python -m presign_siblings package

.PHONY: release
release: $(RUN)  ## wheel, Lambda zips, bills of materials, licences and checksums of this commit, in dist/
	@$(BIN)/python -m dev.release

.PHONY: deploy
deploy: $(RUN)  ## create or update the stack: STACK=... BUCKET=... PREFIX=... CODE_BUCKET=... SCHEDULE=... ALARM_EMAIL=...
	@$(BIN)/python -m presign_siblings deploy --stack "$(STACK)" --bucket "$(BUCKET)" \
		$(if $(PREFIX),--prefix "$(PREFIX)") $(if $(SCHEDULE),--schedule "$(SCHEDULE)") \
		$(if $(ALARM_EMAIL),--alarm-email "$(ALARM_EMAIL)")

.PHONY: clean
clean:  ## remove everything that the other targets made
	rm -rf .venv .venv-* .work .coverage dist build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: help
help:  ## this list
	@awk -F ':[^#]*## ' '/^[a-z0-9]+:.*## / { printf "%-12s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)
