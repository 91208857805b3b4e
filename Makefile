# Every target makes the environments that it needs; a changed pin makes them anew.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin

# One environment a lock file: the stamp is keyed to its content and to the interpreter.
stamp = .venv$(2)/.installed-$(shell cat requirements/$(1).txt <($(PYTHON) -V 2>&1) | sha256sum | cut -c1-12)
DEV := $(call stamp,dev,)
EMULATOR := $(call stamp,emulator,-emulator)
SWIFT := $(call stamp,swift,-swift)
DOCS := $(call stamp,docs,-docs)

define make_venv
	@echo "making $(2) from requirements/$(1).txt ..."
	@rm -rf $(2) && $(PYTHON) -m venv $(2)
	@$(2)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/$(1).txt
	@touch $@
endef

$(DEV):
	$(call make_venv,dev,.venv)

$(EMULATOR):
	$(call make_venv,emulator,.venv-emulator)

$(SWIFT):
	$(call make_venv,swift,.venv-swift)

$(DOCS):
	$(call make_venv,docs,.venv-docs)

.PHONY: install
install: $(DEV) $(EMULATOR) $(SWIFT)  ## make the virtual environments, from pinned requirements

.PHONY: run
run: install  ## the main job for real, on an emulated AWS (KEYS=n, FROM=folder)
	@$(BIN)/python -m dev.run $(if $(KEYS),--keys $(KEYS)) $(if $(FROM),--from "$(FROM)")

.PHONY: tester
tester: install  ## a page to run it, break it and look at it, on an emulated AWS (PORT=n)
	@$(BIN)/python -m dev.tester $(if $(PORT),--port $(PORT))

.PHONY: lint
lint: install docs  ## ruff, mypy strict, the import contracts, cfn-lint and the links of the documentation
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/cfn-lint presign_siblings/deploy/cloudformation/*.yaml

.PHONY: docs
docs: $(DOCS)  ## the documentation as a site, in .work/site; a broken link fails
	@NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet

# Percent of what runs in Lambda; pyproject.toml has the floor of all that is installed.
PROCESSOR_COVERAGE := 97

.PHONY: test
test: lint  ## lint, then every test, with the coverage floors: unit, integration, simulation, end to end
ifdef ARGS
	@$(BIN)/python -m pytest -n 2 $(ARGS)
else
	@$(BIN)/python -m pytest -n 2 --cov tests/unit tests/integration
	@$(BIN)/coverage report --include='processor/*' --fail-under=$(PROCESSOR_COVERAGE) --format=total
	@$(BIN)/python -m pytest -n 2 tests/simulation tests/e2e
endif

.PHONY: soak
soak: install  ## go on with new seeds of the fault simulation: MINUTES=n
	@$(BIN)/python -m tests.simulation --minutes $(or $(MINUTES),5)

.PHONY: bench
bench: install  ## measure this and its peers side by side; writes the table and the chart
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: package
package: install  ## the Lambda zip for deployment, in dist/ (ARCH=arm64, RUNTIME=python3.13)
	@$(BIN)/python -m presign_siblings package

.PHONY: deploy
deploy: install  ## create or update the stack: STACK=... BUCKET=... PREFIX=... SCHEDULE=...
	@$(BIN)/python -m presign_siblings deploy --stack "$(STACK)" --bucket "$(BUCKET)" \
		$(if $(PREFIX),--prefix "$(PREFIX)") $(if $(SCHEDULE),--schedule "$(SCHEDULE)")

.PHONY: clean
clean:  ## remove everything that the other targets made
	rm -rf .venv .venv-* .work .coverage dist build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: help
help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12
