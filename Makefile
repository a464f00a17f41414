# Thin on purpose: everything is in scripts/bootstrap.py, which needs Python 3.11+ and nothing else.
# Choose the Python with `make PYTHON=python3.12 ...`.

PYTHON ?= $(shell for p in python3.12 python3.11 python3 python3.13; do \
	if $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
		echo $$p; exit; fi; done; echo python3)
BOOTSTRAP = $(PYTHON) scripts/bootstrap.py

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-reset test lint chaos bench-attest bench-index bench-reorg fuzz lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 19

setup: ## install everything into this folder, nothing into the system but Chromium (as root, by apt)
	@$(BOOTSTRAP) setup

demo: ## start a DAO with its history on a local chain and print its address; ONCE=1 proves the whole way and ends
	@ONCE='$(ONCE)' $(BOOTSTRAP) demo

demo-reset: ## forget the demo: the next start makes its DAO and history anew
	rm -rf var/demo var/once

test: ## every check and every test
	@$(BOOTSTRAP) test

lint: ## formatting, types, layers, templates, migrations, deployment settings
	@$(BOOTSTRAP) lint

chaos: ## do every fault of the design's table to the real service; FLAGS='--only F4 --seed 7 --runs 1' repeats one
	@$(BOOTSTRAP) chaos $(FLAGS)

bench-attest: ## how many GPU reports one core verifies, against the speed of the bare signature check
	@$(BOOTSTRAP) bench-attest $(FLAGS)

bench-index: ## how fast a long chain is indexed, against the speed at which it can be fetched
	@$(BOOTSTRAP) bench-index $(FLAGS)

bench-reorg: ## how long the index takes to follow a reorganisation of 1, 10 and 64 blocks
	@$(BOOTSTRAP) bench-reorg $(FLAGS)

fuzz: ## ten thousand made-up requests to the attestation endpoints, signed and unsigned; FLAGS='--cases 50000' for more
	@$(BOOTSTRAP) fuzz $(FLAGS)

lock: ## resolve requirements/*.in again, with hashes
	@$(BOOTSTRAP) lock

clean: ## remove what the set-up and the demo made in this folder
	rm -rf .venv .cache var node_modules frontend/node_modules frontend/dist frontend/dist-tests staticfiles
