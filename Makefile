# SPDX-License-Identifier: Apache-2.0
# Short names for the scripts; `make` alone lists them.

.PHONY: help build test demo check bench fmt lint ci install

PREFIX ?= /usr/local

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

bench: ## every comparison of Benchmarks/, both sides started by it; minutes, and a quiet machine
	scripts/bench

fmt: ## format the Swift sources
	swift format --in-place --recursive --parallel Package.swift Sources Tests samples Benchmarks

lint: ## check the format of the Swift sources
	swift format lint --strict --recursive --parallel Package.swift Sources Tests samples Benchmarks

ci: ## what CI runs
	.ci/run

install: build ## put what a server needs below PREFIX (/usr/local) and DESTDIR
	install -d $(DESTDIR)$(PREFIX)/lib/bulkhead/sdk $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/bulkhead
	install -s -m 755 .build/release/bulkhead .build/release/SandboxLaunch .build/release/SQLWorker \
	  $(DESTDIR)$(PREFIX)/lib/bulkhead/
	cp -R sdk/python sdk/node $(DESTDIR)$(PREFIX)/lib/bulkhead/sdk/
	ln -sf ../lib/bulkhead/bulkhead $(DESTDIR)$(PREFIX)/bin/bulkhead
	cp -R ops docs README.md $(DESTDIR)$(PREFIX)/share/bulkhead/
