# Two targets are all a fresh machine needs: `make lab` and `make test`. Both install what they need.
# On Debian, as root, missing packages are installed; otherwise the one command that does it is printed.

TOPOLOGY ?= expressroute-direct
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
VENV := .venv
BIN := $(VENV)/bin
GUEST := .cache/uml

# What a lab needs beside Python, and what only the tests need: peers to be measured against, and readers.
LAB_PACKAGES := python3-venv bird2 nftables
TEST_PACKAGES := $(LAB_PACKAGES) iproute2 iputils-ping iperf3 tshark tmux kmod util-linux chromium \
	charon-systemd strongswan-swanctl libcharon-extra-plugins libstrongswan-standard-plugins libstrongswan-extra-plugins

.DEFAULT_GOAL := help
.PHONY: help setup lab test down prove bench check fmt lab-packages test-packages

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10
	@echo "TOPOLOGY=name chooses the file, now $(TOPOLOGY); there are: $(basename $(notdir $(wildcard topologies/*.yaml)))"

setup: lab-packages $(VENV)/.ready ## make the virtual environment from the pinned versions

lab: setup ## stand the lab up, prove what every segment carries, show the table, write reports/NAME.html
	@$(BIN)/wireproof up $(TOPOLOGY)
	@mkdir -p reports
	@$(BIN)/wireproof prove $(TOPOLOGY) --html reports/$(basename $(notdir $(TOPOLOGY))).html

prove: setup ## prove a running lab once more
	@$(BIN)/wireproof prove $(TOPOLOGY)

down: setup ## take every lab down
	@$(BIN)/wireproof down --all

test: test-packages $(VENV)/.ready $(GUEST)/.ready ## run all tests, interop included
	@CI_GUEST=$(GUEST) $(BIN)/python -m tests.run

bench: setup test-packages ## print speeds as ratios against peers and limits, measured in the same run
	@$(BIN)/python -m tests.bench

check: $(VENV)/.ready ## lint, types, doors
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fmt: $(VENV)/.ready ## format the source
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lab-packages:
	@.ci/packages $(LAB_PACKAGES)

test-packages:
	@.ci/packages $(TEST_PACKAGES)

# hatchling comes from the same pins, so that the build, too, is the same everywhere.
$(VENV)/.ready: pyproject.toml constraints.txt | lab-packages
	@echo "setting up $(VENV) from constraints.txt"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "wireproof needs Python 3.11 or later; choose one with PYTHON=..." >&2; exit 4; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt hatchling editables
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $@

# A whole Linux kernel as an ordinary process: the peer that the MACsec and ESP tests talk to.
$(GUEST)/.ready: tests/interop/kernel/build.sh | test-packages
	@tests/interop/kernel/build.sh $(GUEST)
	@touch $@
