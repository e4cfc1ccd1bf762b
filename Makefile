# Everything a contributor types. `make` alone lists the targets.

TOOL     := go tool -modfile=tools/go.mod
TIMEOUT  := 30m
FUZZTIME := 30s
PREFIX   ?= /usr/local

.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/gospaces
	go build -o bin/ ./cmd/gospaces

demo: ## a cluster of three nodes, PostgreSQL and workers: one job, while a worker and the leading node are killed; ARGS=-keep
	go build -o bin/ ./cmd/demo
	@bin/demo $(ARGS)

demo-single: ## the same with one server, which is not killed
	go build -o bin/ ./cmd/demo
	@bin/demo -single $(ARGS)

test: ## run all tests with the race detector
	go test -race -timeout $(TIMEOUT) ./...

soak-repeat: ## a million writes and takes while connections are cut and the server is killed: each happens once
	SOAK_REPEAT=1000000 go test ./spacetest -run TestExactlyOnce -v -count=1 -timeout 2h

check: format vet staticcheck test ## what a change must pass: format, vet, staticcheck, all tests

format: ## fail if a file is not formatted (gofumpt)
	@files=$$($(TOOL) gofumpt -l .) && if [ -n "$$files" ]; then \
		echo "not formatted, run '$(TOOL) gofumpt -w .':"; echo "$$files"; exit 1; fi

vet: ## run go vet
	go vet ./...

staticcheck: ## run staticcheck
	$(TOOL) staticcheck ./...

bench: build ## measure operations a second against servers that it starts itself
	bin/gospaces bench

peers: build ## measure beside Redis, beanstalkd, NATS, PostgreSQL and Tarantool, those that are installed; flags in PEERS
	cd tools/peers && go build -o ../../bin/ . github.com/nats-io/nats-server/v2
	bin/peers $(PEERS)

test-peers: build ## carry a hundred jobs through each of these servers
	cd tools/peers && go build -o ../../bin/ github.com/nats-io/nats-server/v2
	cd tools/peers && PATH="$(CURDIR)/bin:$$PATH" go test -count=1 -timeout 5m .

fuzz: ## run every fuzz test for FUZZTIME (30s) each
	@set -e; for pkg in $$(go list ./...); do \
		for name in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

soak: TIME ?= 5m
soak: ## random programs with crashes, restarts and cut connections, judged; for TIME (5m)
	mkdir -p bin/soak
	cd spacetest && SOAK=$(TIME) go test -count=1 -timeout 0 -run '^TestSoak$$' -artifacts -outputdir $(CURDIR)/bin/soak

crash: TIME ?= 30m
crash: ## processes and disks fail in random order, then log, snapshots, spaces and tables are verified; for TIME (30m), order by SEED
	mkdir -p bin/crash
	CRASH=$(TIME) CRASH_SEED=$(SEED) go test ./spacetest/crash -run '^TestCrash$$' -v -count=1 -timeout 0 -artifacts -outputdir $(CURDIR)/bin/crash

crash-cluster: TIME ?= 30m
crash-cluster: ## the same on a cluster, whose network fails too if root runs it; for TIME (30m), order by SEED
	mkdir -p bin/crash
	CRASH_CLUSTER=$(TIME) CRASH_SEED=$(SEED) go test ./spacetest/crash -run '^TestCrashCluster$$' -v -count=1 -timeout 0 -artifacts -outputdir $(CURDIR)/bin/crash

soak-failover: FAILOVERS ?= 20
soak-failover: ## clusters whose primaries are killed, stand still and are handed over, FAILOVERS (20) times
	cd spacetest && FAILOVERS=$(FAILOVERS) go test -count=1 -v -timeout 0 -run '^TestFailover|^TestCluster(Spans|Parted)'

soak-bound: TIME ?= 20m
soak-bound: ## jobs at full speed through an almost empty space, whose folder must stay small; TIME (20m), PART (alone, mirrored, rebase, block; all)
	SOAK_BOUND=$(TIME) go test ./spacetest -run '^TestBound$$/$(PART)' -v -count=1 -timeout 0

install: build ## copy bin/gospaces to PREFIX/bin (/usr/local/bin)
	install -D bin/gospaces $(DESTDIR)$(PREFIX)/bin/gospaces

clean: ## remove what the other targets made
	rm -rf bin

.PHONY: help build demo demo-single test soak-repeat check format vet staticcheck bench peers test-peers fuzz soak crash crash-cluster soak-bound soak-failover install clean
