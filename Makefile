# One door for commands; .ci/run and people call the same. CONTRIBUTING.md says what each is for.
.DEFAULT_GOAL := build
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
# The oldest Python that is supported is the one that is tested.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
SOURCES := $(shell find rust/src -name '*.rs') Cargo.toml Cargo.lock rust/Cargo.toml pyproject.toml
comma := ,
CHECKED := python tests benches tools
# Most tests wait for something; a file stays with one worker, for what its tests share.
SIDE_BY_SIDE := -n 3 --dist loadfile
# Forms of the channel layer beside core, and the tests that say something of each; of applications, where one is replaced.
FORMS := lists pubsub hosts encrypted channels_redis_3 channels_redis_3_encrypted
OF_LAYERS := $(patsubst %,tests/e2e/test_%.py,delivery races redis_faults slow_clients recovery churn)
OF_ENGINES := tests/e2e/test_engine_rates.py tests/e2e/test_engines.py::TestEngineAlone
OF_RELOADS := $(patsubst %,tests/e2e/test_%.py,reload reload_drain reload_replay engine_consumers)

.PHONY: build demo test test-long bench bench-backplane bench-scale bench-reload bench-check bench-baseline wheel lint format clean programs

build: $(VENV)/.built

$(VENV)/.built: $(SOURCES)
	@sh tools/prepare.sh $(VENV) "$(PYTHON)" demo,test
	@touch $(VENV)/.demo $@

# What the demo needs, and nothing of the tests'; ENGINE=nats also a client of it.
EXTRAS := demo$(if $(filter nats,$(ENGINE)),$(comma)nats)
$(VENV)/.demo $(VENV)/.demo-nats: $(SOURCES)
	@sh tools/prepare.sh $(VENV) "$(PYTHON)" $(EXTRAS)
	@touch $@

demo: $(VENV)/.demo$(if $(filter nats,$(ENGINE)),-nats)
	@echo "Starting the demo"
	@$(BIN)/awxfast demo $(if $(SECONDS),--seconds $(SECONDS)) $(if $(ENGINE),--engine $(ENGINE))

# Debian programs that tests use, where they can be installed; a test whose program is missing says so. And bytecode: where
# PYTHONDONTWRITEBYTECODE is set each of the many processes that tests start would compile all of it anew.
programs: build
	@sh tests/install_programs.sh
	@$(BIN)/python -m compileall -q python tests

test: build programs
	cargo test --quiet --package awxfast --package wsload
	$(BIN)/pytest $(SIDE_BY_SIDE)

test-long: build programs
	$(BIN)/pytest --run-long $(SIDE_BY_SIDE)
	$(BIN)/pytest --hosting-workers 2 $(SIDE_BY_SIDE) tests/site tests/parity
	@for form in $(FORMS); do echo "Layer: $$form"; $(BIN)/pytest --layer $$form $(SIDE_BY_SIDE) $(OF_LAYERS) $(OF_ENGINES) || exit 1; done
	$(BIN)/pytest --layer hosts $(SIDE_BY_SIDE) $(OF_RELOADS)
	$(BIN)/pytest --layer encrypted $(SIDE_BY_SIDE) $(OF_RELOADS)
	$(BIN)/pytest --layer pubsub $(SIDE_BY_SIDE) tests/site/test_events.py tests/e2e/test_engine_consumers.py

# What only the benchmark compares with; a peer that can't be installed is a line in the tables.
$(VENV)/.bench: $(VENV)/.built
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin develop --release --quiet --extras bench
	@touch $@

FIGURES := target/bench$(if $(HOSTING),-hosting)$(if $(QUICK),-quick).json

bench: build $(VENV)/.bench
	@sh tests/install_programs.sh bench
	$(BIN)/python benches/relay.py --json $(FIGURES) $(if $(QUICK),--quick) $(if $(HOSTING),--hosting) \
		$(if $(PATIENCE),--patience $(PATIENCE))
	$(if $(REPORT),$(if $(QUICK),,$(BIN)/python benches/write_papers.py $(FIGURES)))

bench-backplane: build
	$(BIN)/python benches/backplane.py $(if $(QUICK),--quick)

# The costs that docs/scaling.md is made of, anew, and its tables.
OF_NODES := $(foreach nodes,3 8,$(foreach rate,100 1000 flat,nodes-$(nodes)-$(rate)))
empty :=
space := $(empty) $(empty)
bench-scale: build
	$(BIN)/python benches/backplane.py --json target/clusters.json \
		--only $(subst $(space),$(comma),$(OF_NODES) dialler-out-500 dialler-24-500) --kinds awxfast,mesh,redis-cluster,nats
	$(BIN)/python benches/relay.py --json target/browsers.json --only idle-1000,flat-out-1000-4k --servers awxfast
	$(BIN)/python benches/scale.py --take target/clusters.json target/browsers.json --measure --write

bench-reload: build
	$(BIN)/python benches/reload.py $(if $(QUICK),--quick)

# SLACK=4 widens what times may differ, for a busy machine; counts stay as they are.
bench-check: build programs
	$(BIN)/python benches/bench_check.py $(if $(SLACK),--slack $(SLACK))

bench-baseline: build programs
	$(BIN)/python benches/bench_check.py --write

wheel:
	@sh tools/prepare.sh $(VENV) "$(PYTHON)" wheel

lint: build
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy
	cargo fmt --check
	cargo clippy --quiet --all-targets -- --deny warnings
	cargo clippy --quiet --all-targets --package awxfast --features python -- --deny warnings

format: build
	$(BIN)/ruff check --fix $(CHECKED)
	$(BIN)/ruff format $(CHECKED)
	cargo fmt

clean:
	rm -rf target $(VENV) python/awxfast/_rust.abi3.so
