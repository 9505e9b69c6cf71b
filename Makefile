# Plumb: `make quickstart` runs everything on the shipped data; `make test` runs every check.

SWIFT ?= swift
BUILD := $(SWIFT) build -c release --product plumb
# Tests reach internal declarations, so their build has its own folder.
TEST_FLAGS := -c release -Xswiftc -enable-testing --scratch-path .build-tests
SET ?=

.PHONY: help setup build quickstart smoke test check format clean

help:
	@echo "make quickstart   install what is missing, build, run recipes/quickstart.yaml (about 10 minutes)"
	@echo "make test         install what is missing, lint, build, run the whole test suite"
	@echo "make build        build the plumb program in release mode"
	@echo "make smoke        a quickstart of a minute or two, with small sizes"
	@echo "make check        format lint, import table, documentation links"
	@echo "make format       format all Swift sources in place"

setup:
	@Scripts/setup

build: setup
	$(BUILD)

quickstart: build
	.build/release/plumb run recipes/quickstart.yaml $(SET)

smoke: build
	Scripts/smoke

test: setup check
	$(SWIFT) build $(TEST_FLAGS) --build-tests
	$(SWIFT) test $(TEST_FLAGS) --skip-build

check:
	Scripts/check

format:
	Scripts/format

clean:
	rm -rf .build .build-tests
