# Plumb: `make quickstart` runs everything on the shipped data; `make test` runs every check.

SWIFT ?= swift
PLUMB ?= .build/release/plumb
# Tests reach internal declarations, so their build has a folder of its own.
TEST_FLAGS := -c release -Xswiftc -enable-testing --scratch-path .build-tests
# Extra arguments of the quickstart, for example ARGS="--set seed=3 --output runs/other".
ARGS ?=

# Benchmarks: which model, which workloads (all if empty), threads and repetitions.
MODEL ?= bench-5m
WORKLOADS ?=
THREADS ?= 2
REPEATS ?=
# The peers' virtual environment, and which peers to measure (all if empty).
VENV ?=
PEERS ?=
BENCH = Benchmarks/.build/release/plumb-bench
BENCH_FLAGS = --threads $(THREADS) $(if $(REPEATS),--repeats $(REPEATS))

.PHONY: help setup build quickstart smoke test check format clean \
	bench bench-peers bench-scaling bench-build bench-venv

help:
	@echo "make quickstart   install what is missing, build, run recipes/quickstart.yaml (about 10 minutes)"
	@echo "make test         install what is missing, lint, build, run the whole test suite"
	@echo "make build        build the plumb program in release mode"
	@echo "make smoke        the quickstart with small sizes, twice (the second run skips what is done)"
	@echo "make bench        measure every workload of Benchmarks (MODEL=bench-5m WORKLOADS=\"sft dpo\" THREADS=2 REPEATS=5)"
	@echo "make bench-peers  the same beside PyTorch, transformers and TRL, in turn (VENV=path, PEERS=pytorch,trl)"
	@echo "make bench-scaling  speed and memory over sequence length and over parameters"
	@echo "make check        format lint, import table, documentation links"
	@echo "make format       format all Swift sources in place"

setup:
	@Scripts/setup

build: setup
	$(SWIFT) build -c release --product plumb

quickstart: build
	.build/release/plumb run recipes/quickstart.yaml $(ARGS)

smoke: $(if $(filter .build/%,$(PLUMB)),build)
	Scripts/smoke $(PLUMB)

test: setup check
	$(SWIFT) build $(TEST_FLAGS) --build-tests
	$(SWIFT) test $(TEST_FLAGS) --skip-build
	Scripts/check-docs

bench-build: setup
	@$(SWIFT) build -c release --package-path Benchmarks

bench: bench-build
	@$(BENCH) run --model $(MODEL) $(BENCH_FLAGS) $(WORKLOADS)

# Before the build, which takes minutes.
bench-venv:
	@test -x "$(VENV)/bin/python" || { echo "bench-peers: VENV=$(VENV) is no virtual environment. Make one:" \
	  "python3 -m venv V && V/bin/pip install torch transformers==4.57.1 trl==0.24.0 datasets safetensors" >&2; exit 1; }

bench-peers: bench-venv bench-build
	@$(BENCH) peers --model $(MODEL) --venv "$(VENV)" $(if $(PEERS),--peers $(PEERS)) $(BENCH_FLAGS) $(WORKLOADS)

bench-scaling: bench-build
	@$(BENCH) scaling measure $(BENCH_FLAGS)

check:
	Scripts/check

format:
	Scripts/format

clean:
	rm -rf .build .build-tests Benchmarks/.build
