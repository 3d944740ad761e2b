# Every target works from a fresh clone with Go, git and make, on Linux and macOS; the
# race detector and the BigQuery emulator need a C compiler. CI calls these targets and
# no others.

GO       ?= go
FUZZTIME ?= 30s

# staticcheck is a tool of the developers, so it is run at this version and stays
# out of go.mod, which users of the packages inherit.
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

# Of a version, and out of go.mod, as staticcheck is.
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.9.0

# The gofmt of the toolchain that go.mod asks for, not whichever is first in PATH.
GOFMT = "$$($(GO) env GOROOT)/bin/gofmt"

.DEFAULT_GOAL := help

.PHONY: help
help: ## print this help
	@awk -F ':.*## ' '/^##@/ { print substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

##@ Every day

# It prints what it leaves out at its end. TESTFLAGS go to go test: TESTFLAGS=-count=1.
.PHONY: test
test: ## run the tests, but those that take long or need more than Go; at most five minutes
	$(GO) test $(TESTFLAGS) -tags nobigquery,notelemetry -run LeftOut .
	@$(GO) run ./internal/repo/quick $(TESTFLAGS) ./...

.PHONY: lint
lint: fmt-check ## check the format, run go vet and staticcheck
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

.PHONY: vuln
vuln: ## look for known weaknesses in what is called, with Go's database on vuln.go.dev
	$(GO) run $(GOVULNCHECK) ./...

.PHONY: fmt
fmt: ## format all Go files
	$(GOFMT) -l -w .

.PHONY: fmt-check
fmt-check: ## list the Go files that gofmt would change, and fail if there are any
	@files=$$($(GOFMT) -l .) || exit 1; \
	if [ -n "$$files" ]; then printf 'not formatted; run make fmt:\n%s\n' "$$files"; exit 1; fi

.PHONY: docs-check
docs-check: ## check links, doc comments, examples and tables in the documentation
	$(GO) test -count=1 ./internal/repo/docs

.PHONY: demo
demo: ## send a story of orders through the whole thing, and check its end
	$(GO) run ./cmd/local -demo

.PHONY: run
run: ## serve the function on this machine, with a Cloud Storage of its own
	$(GO) run ./cmd/local

.PHONY: rename
rename: ## make this clone yours: make rename MODULE=github.com/you/orders
	@$(GO) run ./internal/repo/rename '$(MODULE)'

##@ The proof

# Of its steps, STEPS may name some: make prove STEPS='race explore'.
.PHONY: prove
prove: ## run what make test leaves out, and print a line for each; PROVE=long: for hours
	$(GO) run ./proof/cmd/prove $(STEPS)

.PHONY: check
check: lint test prove ## run lint, test and prove, as CI does beside vuln

# rename and sim are left out: the one builds a whole copy of this tree, the other
# lets only one thing run at a time, many thousand times. The tests that make prove runs
# beside are left out, too: most are about processes that the race detector is not in.
.PHONY: race
race: ## run the tests under the race detector
	packages=$$($(GO) list ./...) && PROVE= CGO_ENABLED=1 \
		$(GO) test -race -timeout 30m $$(printf '%s\n' "$$packages" | grep -vE '/internal/repo/rename$$|/proof/sim$$')

# Where the time is up while a worker is busy, go test -fuzz sometimes fails with nothing but
# "context deadline exceeded" (https://go.dev/issue/75804). That is no failing input.
.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (30s) each
	@list=$$($(GO) test -list '^Fuzz' ./...) || { printf '%s\n' "$$list"; exit 1; }; \
	targets=$$(printf '%s\n' "$$list" | \
		awk '/^Fuzz/ { name[++n] = $$1 } /^ok/ { while (n) print $$2, name[n--] }'); \
	[ -n "$$targets" ] || { echo 'no fuzz targets found'; exit 1; }; \
	printf '%s\n' "$$targets" | while read -r package name; do \
		echo "$$name in $$package, $(FUZZTIME)"; \
		output=$$($(GO) test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) "$$package" </dev/null 2>&1); code=$$?; \
		printf '%s\n' "$$output"; \
		[ $$code -eq 0 ] && continue; \
		printf '%s\n' "$$output" | grep -q 'Failing input' && exit 1; \
		printf '%s\n' "$$output" | grep -qx ' *context deadline exceeded' || exit 1; \
	done

.PHONY: explore
explore: ## try every schedule of every scenario up to its larger bound, and many at random: an hour or so
	PROVE=1 $(GO) test ./proof/sim -count=1 -v -timeout 12h -run 'TestExplore|TestRandom' -sim.fully -sim.random=5000

.PHONY: mutants
mutants: ## break the code in one place after another, and have the explorer find each: half an hour
	PROVE=1 $(GO) test ./proof/sim -count=1 -v -timeout 3h -run TestSourceMutants -sim.mutants

# Options of chaos and soak go into ARGS: make chaos ARGS='-seed 7 -kill-every 500ms'.
.PHONY: chaos
chaos: ## kill, stop and cut off instances while 10,000 orders come; a quarter of an hour
	@mkdir -p bin
	$(GO) run ./proof/cmd/chaos -report bin/chaos.json -plot bin/chaos.svg $(ARGS)

.PHONY: chaos-short
chaos-short: ## the same with 400 orders; a minute
	@mkdir -p bin
	$(GO) run ./proof/cmd/chaos -orders 400 -per-round 200 -kill-every 1s -pause-every 2s -report bin/chaos-short.json -plot bin/chaos-short.svg $(ARGS)

.PHONY: soak
soak: ## run the function at a fixed rate for 5 minutes; all that it takes must stay flat
	@mkdir -p bin
	$(GO) run ./proof/cmd/soak -report bin/soak.json -plot bin/soak.svg $(ARGS)

.PHONY: emulators
emulators: ## build the BigQuery emulator; 6 to 15 minutes for the first time
	@GO="$(GO)" internal/fake/bqemulator/build

# A module of its own. install installs Chromium where apt-get can, or says why not.
.PHONY: browser
browser: ## drive the local console in a real Chromium
	@proof/browser/install
	cd proof/browser && $(GO) test -count=1 -v -timeout 30m ./...

.PHONY: screenshots
screenshots: ## take the pictures of the console in docs/console again
	@proof/browser/install
	cd proof/browser && $(GO) test -count=1 -run TestScreenshots -screenshots ../../docs/console ./...

# It asks before it begins. REGION, EXAMPLE, YES=1, KEEP=1 and DRY_RUN=1: docs/how-to/smoke.md.
.PHONY: smoke
smoke: ## deploy an example to Google Cloud, try it, take it down: make smoke PROJECT=my-project-123
	@$(GO) run ./proof/cmd/smoke -project='$(PROJECT)' $(if $(REGION),-region='$(REGION)') $(if $(EXAMPLE),-example='$(EXAMPLE)') \
		$(if $(filter 1,$(KEEP)),-keep) $(if $(filter 1,$(YES)),-yes) $(if $(filter 1,$(DRY_RUN)),-dry-run)

# The providers come from Terraform's registry, unless TERRAFORM_CHECK names a program
# that checks a folder without it.
.PHONY: terraform
terraform: ## check terraform/: format, validate, plan the examples, test
	deploy/terraform.sh

.PHONY: buildpack
buildpack: ## build and start the function as Google's buildpack does
	deploy/build.sh --check

# A module of its own, and best on a machine that does nothing else.
.PHONY: bench
bench: ## measure speed and cost beside the floor and alternatives, for docs/performance.md; a quarter of an hour
	cd bench && $(GO) run . -page ../docs/performance.md $(ARGS)

.PHONY: bench-quick
bench-quick: ## measure little, to see that make bench works; a minute
	cd bench && $(GO) vet ./... && $(GO) test -count=1 -v ./...
