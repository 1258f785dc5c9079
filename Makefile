# "make help" prints what there is to make.
.DEFAULT_GOAL := help
SHELL := /bin/bash
export PATH := $(PATH):/usr/local/go/bin:/usr/sbin

STATICCHECK_VERSION := 0.8.2
STATICCHECK := bin/staticcheck-$(STATICCHECK_VERSION)
# For each fuzz target, in seconds. More finds more: make fuzz FUZZ_SECONDS=600
FUZZ_SECONDS ?= 3
# Of one package's tests.
TEST_TIMEOUT ?= 9m
# How many tests of one package run at a time: twice as many as there are cores, as they mostly wait for nginx and certbot.
TEST_PARALLEL ?= $(shell echo $$((2 * $$(nproc))))

.PHONY: help install build demo test fuzz soak lint bench bench-peers clean

help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: ## install the packages that tests and demo need (Debian's, as root); only look when all is there
	@.ci/install

build: ## build bin/proxy-manager, static, so that it runs on any Linux
	CGO_ENABLED=0 go build -trimpath -o bin/proxy-manager ./cli/proxy-manager

demo: install build ## show plan, apply, HTTPS and rollback on a private nginx and ACME CA
	go run ./examples/demo

# -count=1, because Go's test cache knows nothing of nginx and certbot.
test: install ## go vet, every test with the race detector, and each fuzz target for a few seconds
	go vet ./...
	go test -race -count=1 -timeout $(TEST_TIMEOUT) -parallel $(TEST_PARALLEL) ./...
	.ci/fuzz $(FUZZ_SECONDS)

fuzz: ## only the fuzz targets
	.ci/fuzz $(FUZZ_SECONDS)

soak: install ## make changes for ten minutes while nginx is reloaded, restarted, upgraded and edited by others
	go test ./engine -count=1 -v -run TestNoSuccessIsToldThatIsNotTrue -soak 10m -timeout 20m

lint: $(STATICCHECK) ## gofmt, go vet, staticcheck, shellcheck, and the exported interface against its listing
	@unformatted=$$(gofmt -l .); [[ -z $$unformatted ]] || { echo "not gofmt-ed: $$unformatted" >&2; exit 1; }
	go vet ./...
	$(STATICCHECK) ./...
	find .ci -maxdepth 1 -type f -exec shellcheck {} +
	find . -type f -name '*.sh' -exec shellcheck {} +
	go run ./.ci/api

$(STATICCHECK):
	GOBIN=$(CURDIR)/bin go install honnef.co/go/tools/cmd/staticcheck@v$(STATICCHECK_VERSION)
	mv bin/staticcheck $@

bench: install build ## measure against the floor, nginx itself, and print the table of ratios
	go run ./examples/bench

bench-peers: install build ## the same work, done by Caddy, OpenTofu and Ansible, as far as they can be had
	go run ./examples/bench -peers

clean: ## remove what was built
	rm -rf bin
