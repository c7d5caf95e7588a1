# ticketrush. Two commands do all the set-up on a fresh machine with Go: `make demo` and `make test`.
SHELL := /bin/bash
GO ?= go
export GOWORK := off

SQLC := CGO_ENABLED=0 $(GO) tool -modfile=tools/go.mod sqlc

# The packages that import Caddy are slow to build with the race detector; they run without it in `make test` and with it in `make race`.
CADDY_PACKAGES := ./caddymodule/...
TEST_FLAGS ?= -timeout 15m

.PHONY: help demo test race check bench generate build clean postgres

help: ## Show the targets.
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

build: bin/stockd bin/caddy ## Build bin/stockd and bin/caddy.

bin/stockd: FORCE
	$(GO) build -o bin/stockd ./stockd

bin/caddy: FORCE
	./xcaddy.sh

postgres: ## Get a Postgres server where the machine has none.
	@scripts/need-postgres.sh

demo: postgres build ## Run the whole thing here; RUSH=1 sends a crowd and reconciles.
	bin/stockd demo $(if $(RUSH),--rush) $(DEMO_FLAGS)

test: postgres ## All unit, property, integration and cluster tests, on a private Postgres.
	scripts/test.sh $(TEST_FLAGS)

race: postgres ## The race detector over everything but the packages that import Caddy.
	$(GO) test -race $(TEST_FLAGS) $$($(GO) list ./... | grep -v /caddymodule$$)

check: ## Format, vet, static analysis, generated code, Caddyfile, OpenAPI, links.
	scripts/check.sh

bench: postgres ## Benchmarks, each with its limit or its peer in the same run.
	scripts/bench.sh

generate: ## Write ledger/db from queries/ and ledger/migrations/, and charts/arena.json.
	$(SQLC) generate
	$(GO) run ./charts/arena > charts/arena.json

clean: ## Remove what was built.
	rm -rf bin

FORCE:
