# SPDX-License-Identifier: AGPL-3.0-or-later
#
# Hutong's one Makefile. People call ./dev; it calls this.
#
#   make VARIANT=release|test|tsan|cov|clang|fuzz  TARGET…
#
# Everything lands in build/$(VARIANT)/. The library holds all of src/ but the
# main program, so that unit tests, fuzz targets and benches link what ships.

VARIANT ?= release
B := build/$(VARIANT)
# make has a CC of its own, so ?= would never apply
ifeq ($(origin CC),default)
CC := gcc
endif

VERSION := $(shell cat VERSION)
COMMIT := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla -Wwrite-strings -Wcast-qual -Wformat=2 -Wundef -fno-common -Werror
PKGS := libuv libcurl sqlite3 libmariadb hiredis libcjson libjwt libsodium libargon2 libcrypto libutf8proc libwebp libwebpmux libwebpdemux libpng libjpeg zlib libedit md4c-html

# llhttp: a library where the distribution has one, else the C files of Debian 12's node-llhttp.
LLHTTP_DIR := $(firstword $(wildcard /usr/share/llhttp))
ifeq ($(shell pkg-config --exists libllhttp && echo yes),yes)
LLHTTP_CFLAGS := $(shell pkg-config --cflags libllhttp)
LLHTTP_LIBS := $(shell pkg-config --libs libllhttp)
LLHTTP_OBJ :=
else
LLHTTP_CFLAGS := -isystem /usr/share/include/llhttp
LLHTTP_LIBS :=
LLHTTP_OBJ := $(patsubst %,$(B)/llhttp/%.o,api http llhttp)
endif

CPPFLAGS := -D_GNU_SOURCE -Isrc -I$(B)/gen $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PKGS))) $(LLHTTP_CFLAGS)
CFLAGS_common := -std=c17 -g -pthread -fno-omit-frame-pointer -fstack-protector-strong -fPIE $(WARN)
LDFLAGS_common := -pthread -pie -Wl,-z,relro,-z,now
LIBS := $(shell pkg-config --libs $(PKGS)) $(LLHTTP_LIBS) -lgif -lcrypt -lm

SAN := -fsanitize=address,undefined -fno-sanitize-recover=all
CFLAGS_release := -O2 -D_FORTIFY_SOURCE=2
# The simulation is many small functions in a dozen files, called a hundred times a decision: it alone is
# optimised across them, as part of every link (some seconds; for everything it would be a minute).
ACROSS_release := -flto=auto -ffat-lto-objects
LDFLAGS_release := -flto=auto
CFLAGS_test := -O1 $(SAN)
LDFLAGS_test := $(SAN)
CFLAGS_tsan := -O1 -fsanitize=thread
LDFLAGS_tsan := -fsanitize=thread
CFLAGS_cov := -O0 --coverage
LDFLAGS_cov := --coverage
CFLAGS_fuzz := -O1 $(SAN) -fsanitize=fuzzer-no-link
LDFLAGS_fuzz := $(SAN)
CFLAGS_clang := -O1
ifneq ($(filter clang fuzz,$(VARIANT)),)
CC := clang
endif

CFLAGS := $(CFLAGS_common) $(CFLAGS_$(VARIANT)) $(EXTRA_CFLAGS)
LDFLAGS := $(LDFLAGS_common) $(LDFLAGS_$(VARIANT))
# Not in CFLAGS: the stamp of flags below would inherit it from a town object that is asked for first.
$(B)/src/town/%.o: ACROSS := $(ACROSS_$(VARIANT))

SRC := $(filter-out src/app/main.c,$(sort $(wildcard src/*/*.c)))
OBJ := $(SRC:src/%.c=$(B)/src/%.o) $(B)/gen/embedded.o $(LLHTTP_OBJ)
LIB := $(B)/libhutong.a
MIGRATIONS := $(sort $(wildcard migrations/*/*.sql))
EMBEDDED := $(MIGRATIONS) $(sort $(wildcard src/*/*.html src/*/*.grammar))
# The browser app, where its sources are: built once for all variants.
ifneq ($(wildcard web/package.json),)
WEB := tools/web.sh $(wildcard web/*.* web/tools/*) $(shell find web/src web/public -type f)
WEB_STAMP := build/web/stamp
endif

TEST_SUPPORT := $(patsubst %.c,$(B)/%.o,$(wildcard tests/support/*.c))
UNIT := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(wildcard tests/unit/test_*.c))
CONTRACT := $(patsubst tests/contract/%.c,$(B)/tests/contract/%,$(wildcard tests/contract/test_*.c))
FAULT := $(patsubst tests/fault/%.c,$(B)/tests/fault/%,$(wildcard tests/fault/test_*.c))
FUZZ := $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
LIVE := $(patsubst tests/live/%.c,$(B)/tests/live/%,$(wildcard tests/live/*.c))
BENCH_SUPPORT := $(patsubst %.c,$(B)/%.o,$(wildcard bench/support/*.c))
BENCH := $(patsubst bench/%.c,$(B)/bench/%,$(wildcard bench/*.c))

.PHONY: all lib unit contract fault live fuzzers bench clean tool-flags FORCE
.DELETE_ON_ERROR:
all: $(B)/hutong
lib: $(LIB)
unit: $(UNIT)
contract: $(CONTRACT)
fault: $(FAULT)
live: $(LIVE)
fuzzers: $(FUZZ)
bench: $(BENCH)

$(B)/hutong: $(B)/src/app/main.o $(LIB)
	@echo "  link  $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(LIB): $(OBJ)
	@rm -f $@
	@ar rcs $@ $^

$(B)/src/%.o: src/%.c $(B)/flags
	@mkdir -p $(@D)
	@echo "  cc    $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The one file that knows version and commit: rebuilt when either moves.
$(B)/src/base/version.o: $(B)/gen/version.h
$(B)/src/base/version.o: CPPFLAGS += -include $(B)/gen/version.h
$(B)/gen/version.h: FORCE
	@mkdir -p $(@D)
	@printf '#define HUTONG_VERSION "%s"\n#define HUTONG_COMMIT "%s"\n' '$(VERSION)' '$(COMMIT)' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

build/web/stamp: $(WEB)
	@sh tools/web.sh

# Migrations, pages and the app travel inside the binary.
$(B)/gen/embedded.c: tools/embed.sh tools/page_csp.sh $(EMBEDDED) $(WEB_STAMP)
	@mkdir -p $(@D)
	@sh tools/embed.sh $(EMBEDDED) $(if $(WEB_STAMP),$$(find build/web/dist -type f | LC_ALL=C sort)) >$@
$(B)/gen/embedded.o: $(B)/gen/embedded.c $(EMBEDDED) $(B)/flags
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# llhttp is generated C of others: no warnings of ours.
$(B)/llhttp/%.o: $(LLHTTP_DIR)/%.c $(B)/flags
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) $(filter-out $(WARN),$(CFLAGS)) -w -c -o $@ $<

$(B)/tests/support/%.o $(B)/tests/unit/%.o $(B)/tests/contract/%.o $(B)/tests/fault/%.o $(B)/tests/fuzz/%.o $(B)/bench/%.o: CPPFLAGS += -Itests/support
$(B)/tests/%.o: tests/%.c $(B)/flags
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
$(B)/bench/%.o: bench/%.c $(B)/flags
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(TEST_SUPPORT) $(LIB)
	@$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -lcmocka
$(B)/tests/contract/%: $(B)/tests/contract/%.o $(TEST_SUPPORT) $(LIB)
	@$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -lcmocka
$(B)/tests/fault/%: $(B)/tests/fault/%.o $(TEST_SUPPORT) $(LIB)
	@$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -lcmocka
# Programs that black-box tests of live connections start.
$(B)/tests/live/%: $(B)/tests/live/%.o $(LIB)
	@$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
# libFuzzer brings main() in the fuzz variant; in the test variant replay.c does, over the corpus.
$(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(if $(filter fuzz,$(VARIANT)),,$(B)/tests/fuzz/replay.o) $(LIB)
	@$(CC) $(LDFLAGS) $(if $(filter fuzz,$(VARIANT)),-fsanitize=fuzzer) -o $@ $^ $(LIBS)
$(B)/bench/%: $(B)/bench/%.o $(BENCH_SUPPORT) $(LIB)
	@$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

# A change of compiler or flags rebuilds everything.
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(ACROSS_$(VARIANT))' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# For tools that read the code as the compiler does (tools/check.sh).
tool-flags:
	@echo '-std=c17 $(CPPFLAGS) -Itests/support -DHUTONG_VERSION="" -DHUTONG_COMMIT=""'

clean:
	rm -rf build

FORCE:
.PRECIOUS: $(B)/tests/%.o $(B)/bench/%.o
.SECONDARY:

-include $(shell find $(B) -name '*.d' 2>/dev/null)
