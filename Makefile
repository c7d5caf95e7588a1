# ticketrush. Two commands do all the set-up on a fresh machine with Go: `make demo` and `make test`.
SHELL := /bin/bash
GO ?= go
export GOWORK := off

SQLC := CGO_ENABLED=0 $(GO) tool -modfile=tools/go.mod sqlc

TEST_FLAGS ?= -timeout 15m

.PHONY: help demo test browser race check bench load sim sim-room mutants chaos fuzz generate build clean postgres nginx freeze-schema

help: ## Show the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

build: bin/stockd bin/caddy ## Build bin/stockd and bin/caddy.

bin/stockd: FORCE
	$(GO) build -o bin/stockd ./stockd

bin/caddy: FORCE
	./xcaddy.sh

postgres: ## Get a Postgres server where the machine has none.
	@scripts/need-postgres.sh

nginx: ## Get an nginx where the machine has none, to put a cache in front of an edge.
	@scripts/need-nginx.sh

demo: postgres build ## Run the whole thing here; RUSH=1 sends a crowd and reconciles.
	bin/stockd demo $(if $(RUSH),--rush) $(DEMO_FLAGS)

test: postgres nginx ## All unit, property, integration and cluster tests, on a private Postgres.
	scripts/test.sh $(TEST_FLAGS)

# The first time, building Caddy for it takes up to ten minutes on two busy cores; its tests then take about three.
browser: postgres build ## Walk through the demo in a real Chromium: room, map, hold, bank, tickets, admin.
	chromium=$$(scripts/need-chromium.sh) && axe=$$(scripts/need-axe.sh) && CHROMIUM="$$chromium" AXE="$$axe" $(GO) test -tags browser -count=1 -timeout 10m ./browser

race: postgres nginx ## All tests under the race detector, the nodes of the cluster tests too.
	$(GO) test -race $(TEST_FLAGS) ./...

check: ## Format, vet, static analysis, generated code, Caddyfile, OpenAPI, links.
	scripts/check.sh

bench: postgres ## Benchmarks, each with its limit or its peer in the same run.
	scripts/bench.sh

freeze-schema: postgres ## Release today's schema: from then on its migrations are not edited, and its data must run forward.
	scripts/freeze-schema.sh

load: postgres ## A flood beyond what a node can do, and 50,000 connections that bring nothing; prints what was measured.
	$(GO) test -tags load -run TestLoad -v -count=1 -timeout 15m ./stockd/api

SEEDS ?= 10000
PEOPLE ?= 1000000
sim: ## Simulate SEEDS=10000 runs of a cluster under faults; SEED=7 prints the trace of one.
	$(GO) run ./sim/cmd $(if $(SEED),-seed $(SEED),-seeds $(SEEDS))

sim-room: ## Simulate a sale of PEOPLE=1000000 at a waiting room under faults; SEED=7 takes another course.
	$(GO) run ./sim/crowd/cmd -people $(PEOPLE) $(if $(SEED),-seed $(SEED)) $(SIM_FLAGS)

FUZZTIME ?= 30s
fuzz: postgres ## Every fuzz target for FUZZTIME=30s; FUZZ="FuzzSync FuzzTook" takes these only, GUIDED=no spares the second build.
	GO="$(GO)" FUZZTIME=$(FUZZTIME) GUIDED=$(or $(GUIDED),yes) scripts/fuzz.sh $(FUZZ)

mutants: ## Break the code and the simulated ledger on purpose; each mutant has to be caught.
	$(GO) run ./sim/cmd -mutants -seeds 2000

chaos: postgres build ## Break a real cluster under load and check every promise; SECONDS=60 is the least, CHAOS_FLAGS="-faults kill,pause" chooses.
	$(GO) build -o bin/chaos ./chaos/cmd
	bin/chaos -seconds $(or $(SECONDS),60) $(CHAOS_FLAGS)

generate: ## Write ledger/db from queries/ and ledger/migrations/, and charts/arena.json.
	$(SQLC) generate
	$(GO) run ./charts/arena > charts/arena.json

clean: ## Remove what was built.
	rm -rf bin

FORCE:
