# ngx_http_tournament_module
#
#   make            build/ngx_http_tournament_module.so
#   make run        a demonstration: PostgreSQL, nginx, some curl lines to try
#   make test       every test
#   make help       the other targets, and the variables

.SUFFIXES:
.DEFAULT_GOAL := build

PORT ?= 8080
NGINX ?=
NGX_SRC ?=
NGX_CONFIGURE ?=
CC_OPT ?=
DESTDIR ?=
PG_BINDIR ?=
JOBS ?= 2
N ?= 20
BENCH ?=
SEED ?=
FEED ?=
VALGRIND ?=
TESTS ?= $(sort $(wildcard t/*.t))

export NGX_SRC NGX_CONFIGURE CC_OPT DESTDIR JOBS PG_BINDIR

# NGINX in its environment means something else to nginx.

export TOURNAMENT_NGINX = $(NGINX)
unexport NGINX

UNIT = $(MAKE) -s -C t/unit
VERSION = $(shell sed -n 's/.*TOURNAMENT_VERSION *"\(.*\)"/\1/p' src/version.h)
FUZZ = $(MAKE) -s -C fuzz


.PHONY: help
help:
	@echo "ngx_http_tournament_module $(VERSION)"
	@echo
	@sed -n 's/^#: \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

#: Targets
#:   build        the module (default)

.PHONY: build
build:
	@tools/build

#:   deps         what is missing of the packages for run and test (apt)

.PHONY: deps
deps:
	@tools/deps build run test
	-@tools/deps browser

#:   run          PORT=8080; until Ctrl-C

.PHONY: run
run:
	@tools/deps build run
	@tools/build
	@tools/run $(PORT)

#:   test         all tests; NGINX=/path/to/sbin/nginx tests another binary,
#:                TESTS="t/a.t t/b.t" some of t/. Without Chromium's package
#:                the status page is not tested, without npm's PostgreSQL 17
#:                no standby is read

.PHONY: test
test:
	@tools/deps build run test
	-@tools/deps browser
	-@tools/postgres 17
	@tools/build
	@failed=; \
	$(UNIT) check || failed="$$failed unit"; \
	$(FUZZ) replay || failed="$$failed fuzz"; \
	prove -j$(JOBS) -It/lib $(TESTS) || failed="$$failed t"; \
	if [ -n "$$failed" ]; then echo "failed:$$failed" >&2; exit 1; fi

#:   test-repeat  the tests of t/ N=20 times

.PHONY: test-repeat
test-repeat: build
	@tools/test-repeat $(N) $(TESTS)

#:   fuzz         every target of fuzz/ for SECONDS=60; needs clang

.PHONY: fuzz
fuzz: SECONDS ?= 60
fuzz:
	@tools/deps fuzz
	@$(FUZZ) fuzz SECONDS=$(SECONDS)

#:   sanitize     t/ with the module under AddressSanitizer and
#:                UndefinedBehaviorSanitizer; TESTS="t/a.t" for some of it

.PHONY: sanitize
sanitize:
	@tools/deps build run test
	@tools/sanitize $(if $(filter command,$(origin TESTS)),$(TESTS))

#:   soak         random faults of the database under load, for SECONDS=600;
#:                SEED=n the same ones again, FEED=logical with that feed,
#:                VALGRIND=1 under valgrind

.PHONY: soak
soak: SECONDS ?= 600
soak:
	@tools/deps build run test
	@tools/build
	TOURNAMENT_SOAK=$(SECONDS) TOURNAMENT_SEED=$(SEED) \
	    TOURNAMENT_FEED=$(FEED) TOURNAMENT_VALGRIND=$(VALGRIND) prove -v -It/lib t/soak/faults.t

#:   bench        the measurements, into build/bench.md and build/bench.json,
#:                docs/benchmarks.md and README.md, in ten minutes;
#:                BENCH="--only cached" for some of them (see bench/run), which
#:                leaves the documents alone.  Without a peer's package the others
#:                are measured

.PHONY: bench
bench:
	@tools/deps build run test
	-@tools/deps bench
	@tools/build
	bench/run $(BENCH)
	$(if $(strip $(BENCH)),,tools/readme-bench)

#:   load-test    visitors of a site by Artillery, on the module and on Django;
#:                into build/load-test.md and docs/benchmarks.md, in three minutes

.PHONY: load-test
load-test:
	@tools/deps build run test bench load
	@tools/build
	bench/load-test
	tools/readme-bench build/load-test.md . load-test

#:   lint         style, layers, cppcheck, clang-tidy; warnings are errors

.PHONY: lint
lint:
	@tools/deps build run test lint
	@tools/build
	@tools/lint

#:   format       what of nginx's code style the sources break

.PHONY: format
format:
	@tools/style

#:   install      into nginx's modules path, below DESTDIR

.PHONY: install
install: build
	@tools/install

#:   uninstall    out of it again

.PHONY: uninstall
uninstall:
	@tools/install --uninstall

#:   deb          Debian's package for the distribution's nginx, into build/

.PHONY: deb
deb:
	@tools/deps build deb
	@tools/deb

#:   deb-test     the package in a bare Debian: installed, polled, removed

.PHONY: deb-test
deb-test: deb
	@tools/deps deb-test
	@tools/deb-test

#:   arm64        the module for aarch64, by Debian's cross compiler; nginx of
#:                arm64 loads it, and the zone's unit tests run, by qemu-user

.PHONY: arm64
arm64:
	@tools/deps build test arm64
	@tools/arm64

#:   matrix       some tests on each nginx of MATRIX_NGINX=/sources, PostgreSQL and
#:                libpq, into docs/systems.md; CELLS="debian:17:15" on some
#:                (nginx:PostgreSQL:libpq); goes on where it ended

.PHONY: matrix
matrix: build
	@tools/deps build run test load
	@MATRIX_NGINX=$(MATRIX_NGINX) TESTS="$(if $(filter command,$(origin \
	    TESTS)),$(TESTS))" tools/matrix $(CELLS)

#:   dist         build/ngx_http_tournament_module-VERSION.tar.gz

.PHONY: dist
dist:
	@tools/dist

#:   clean        removes build/ and the demonstration's data

.PHONY: clean
clean:
	@tools/clean

#:
#: Variables
#:   NGX_SRC        build for this nginx source tree instead of the
#:                  distribution's nginx
#:   NGX_CONFIGURE  with these options for its configure
#:   NGINX          test and install for this nginx binary
#:   PG_BINDIR      test on PostgreSQL's programs in this directory, such as
#:                  those of tools/postgres 18
#:   CC_OPT         further options for the compiler
#:   DESTDIR        where install puts its tree
#:   JOBS           how many things at once, 2
