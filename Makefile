# Everything here needs go, make and git only. With a C compiler the tests run
# with the race detector.
GO      ?= go
RACE    := $(shell command -v $(or $(CC),cc) >/dev/null 2>&1 && echo -race)
# Arithmetic in libraries shares nothing between goroutines, and is several times
# slower under the race detector: it goes without.
CURVES  := github.com/oasisprotocol/curve25519-voi
PAIRING := github.com/consensys/gnark-crypto/ecc/bls12-381
PLAIN   := $(CURVES)/internal/... $(CURVES)/curve/... $(PAIRING)/internal/... $(PAIRING)/fp $(PAIRING)/fr
RACING  := $(if $(RACE),$(RACE) $(foreach p,$(PLAIN),-gcflags=$(p)=-race=false))
PKGS    := ./...
FUZZ    ?= 10m
SEEDS   ?= 1000

# The packages whose tests take longest come first, so that no long one is left over
# when all others are through; in turn one that waits for its processes and one that
# computes. One package more than there are processors: some always wait.
SLOWEST := ./internal/e2e ./pob/byzcoin ./node ./node/council ./cmd/ios ./transepoch/identity ./docs ./node/validator ./eds/safety
ATONCE  := $(shell expr $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1) + 1)

export CGO_ENABLED = 0

.PHONY: all demo test bench lint soak soak-epochs fuzz clean

# The program, in bin/ios.
all:
	$(GO) build -o bin/ios ./cmd/ios

# Two shards of four, wallets, a transfer across shards, a validator lost and
# back, an abort with refund; then three epochs, in which one joins and one leaves.
# About a minute, once built.
demo: all
	bin/ios demo

# Every test. Without a C compiler it says so, and does without -race. The race
# detector has a program wait for a second at its end, unless told otherwise.
test: all
	@test -n "$(RACE)" || echo "no C compiler: the tests run without the race detector"
	IOS_PROGRAM=$(CURDIR)/bin/ios GORACE="atexit_sleep_ms=50 $$GORACE" CGO_ENABLED=$(if $(RACE),1,0) \
	  $(GO) test $(RACING) -count=1 -timeout 10m -p $(ATONCE) $(SLOWEST) $(PKGS)

# Benchmarks beside the code, then a network of real processes against the
# floor of the cost model. Takes minutes; close other programs first.
bench: all
	$(GO) test -run '^$$' -bench . -benchtime 1s $(PKGS)
	bin/ios bench

lint:
	@unformatted="$$(gofmt -l $$(git ls-files '*.go'))"; \
	  if [ -n "$$unformatted" ]; then echo "not formatted, run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet $(PKGS)
	@if command -v staticcheck >/dev/null 2>&1; then echo staticcheck $(PKGS); staticcheck $(PKGS); \
	  else echo "staticcheck is not installed: skipped"; fi

# Simulated networks under every fault, many seeds; then kill -9 under load.
soak: soak-epochs
	IOS_SEEDS=$(SEEDS) $(GO) test -count=1 -timeout 0 ./internal/sim/... ./eds/... ./pob/... ./atomix/... ./node/validator/...
	IOS_SOAK=1 $(GO) test -count=1 -timeout 0 ./internal/e2e/... ./cmd/ios/...

# Of it, the beacon, the lottery and epochs with transfers across shards, with
# hostile servers and leaders. It tells how many seeds are done.
soak-epochs:
	IOS_SEEDS=$(SEEDS) $(GO) test -count=1 -timeout 0 -v -run '^TestSoak$$' ./node/council

# Every decoder, one after the other, FUZZ each.
fuzz:
	@set -e; for pkg in $$($(GO) list $(PKGS)); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZ) -fuzzminimizetime 100x $$pkg; \
	  done; done

clean:
	rm -rf bin
