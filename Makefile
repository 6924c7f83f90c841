# SPDX-License-Identifier: Apache-2.0
# Short names for the scripts; `make` alone lists them.

.PHONY: help build test demo check fmt lint ci

help:
	@sed -nE 's/^([a-z]+):.*## /  make \1\t/p' $(MAKEFILE_LIST)

build: ## build everything in release mode, tests included
	@bash -c '. scripts/prepare.sh && install_packages && build_release'

test: ## run the whole test suite
	scripts/test

demo: ## start a host with the sample apps on 127.0.0.1:8080
	scripts/demo

check: ## drive every sample with real requests
	scripts/demo --check

fmt: ## format the Swift sources
	swift format --in-place --recursive --parallel Package.swift Sources Tests samples Benchmarks

lint: ## check the format of the Swift sources
	swift format lint --strict --recursive --parallel Package.swift Sources Tests samples Benchmarks

ci: ## what CI runs
	.ci/run
