# SPDX-License-Identifier: MIT
#
# make demo     installs what is missing, builds, makes ./base, runs a command in a guest
# make check    installs what is missing for the tests, builds, runs every test
# make          builds ./vmrun; "contrib/install-deps build" installs what that needs
#
# More in HACKING.md.

VERSION := 0.1.0
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
JOBS ?= $(shell nproc)
# 1: warnings are errors
WERROR ?= 0
# 1: show the commands
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
# for -fsanitize=, and where the objects go then
SANITIZE ?=
BUILD ?= build
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion \
	-Wno-sign-conversion -Wformat=2 -Wvla $(if $(filter 1,$(WERROR)),-Werror)
# _FORTIFY_SOURCE hides from the sanitizers what they look for.
HARDENING := -fstack-protector-strong -fPIE $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2)
CFLAGS ?= -O2 -g
CPPFLAGS += -I. -D_GNU_SOURCE -DVMRUN_VERSION='"$(VERSION)"'
VMRUN_CFLAGS := -std=gnu11 $(WARNINGS) $(HARDENING) $(if $(SANITIZE),-fsanitize=$(SANITIZE) \
	-fno-sanitize-recover=all -fno-omit-frame-pointer)
VMRUN_LDFLAGS := -pie -Wl,-z,relro,-z,now $(if $(SANITIZE),-fsanitize=$(SANITIZE))
LDLIBS := -lcap -lnettle -ljansson -ldl

# The guest's program is linked against musl: with a static glibc it is 680 KB.
# The kernel's headers are glibc's neighbours, looked at last.
GUEST_CC ?= musl-gcc
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
GUEST_CFLAGS := -std=gnu11 -Os -static $(WARNINGS) -fstack-protector-strong \
	-ffunction-sections -fdata-sections -Wl,--gc-sections -s \
	-idirafter /usr/include -idirafter /usr/include/$(MULTIARCH)

# Preloaded into QEMU, and by itself: no libc, no sanitizer, nothing of vmrun's.
PRELOAD_CFLAGS := -std=gnu11 -O2 $(WARNINGS) -U_FORTIFY_SOURCE -fno-stack-protector -fPIC \
	-fvisibility=hidden -shared -nostdlib -s -Wl,-z,relro,-z,now,-z,noseparate-code

COMMAND_C := runner/main.c $(wildcard runner/cmd_*.c)
PRELOAD_C := runner/preload/ram_readonly.c
# A program of the build: compiles the jail's filters of system calls.
FILTER_C := runner/jail/filter_compile.c
LIBRARY_C := $(filter-out $(COMMAND_C) $(PRELOAD_C) $(FILTER_C),$(wildcard runner/*.c runner/*/*.c initramfs/*.c rootfs-tools/*/*.c))
GUEST_C := $(wildcard initramfs/guest/*.c)
DISK_INIT_C := $(wildcard initramfs/disk/*.c)
READER_C := $(wildcard rootfs-tools/disk/guest/*.c)
ESCAPE_C := $(wildcard tests/escape/*.c)
UNIT_C := $(wildcard tests/unit/test_*.c)
FUZZ_C := $(wildcard tests/fuzz/fuzz_*.c)
HEADERS := $(wildcard runner/*.h runner/*/*.h initramfs/*.h initramfs/guest/*.h \
	rootfs-tools/*/*.h rootfs-tools/disk/guest/*.h tests/escape/*.h)
ALL_C := $(COMMAND_C) $(LIBRARY_C) $(PRELOAD_C) $(FILTER_C) $(GUEST_C) $(DISK_INIT_C) $(READER_C) $(ESCAPE_C) $(UNIT_C) $(FUZZ_C)
SCRIPTS := $(shell grep -lE '^\#!/bin/(ba)?sh' contrib/* tests/run tests/*/* .ci/run 2>/dev/null) \
	$(wildcard tests/lib/*.sh)

objects = $(patsubst %,$(BUILD)/%.o,$(basename $(1)))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_C))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZ_C))

all: vmrun

# --- what is built ---

vmrun: $(BUILD)/vmrun
	$(Q)cp $< $@

$(BUILD)/vmrun: $(call objects,$(COMMAND_C)) $(BUILD)/libvmrun.a
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(VMRUN_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/libvmrun.a: $(call objects,$(LIBRARY_C)) $(BUILD)/initramfs/guest_blob.o \
		$(BUILD)/initramfs/disk_blob.o \
		$(BUILD)/runner/preload/blob.o $(BUILD)/runner/vm/escape_blob.o \
		$(BUILD)/runner/jail/filter_programs.o $(BUILD)/rootfs-tools/disk/guest_blob.o
	@echo "  AR    $@"
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CPPFLAGS) $(VMRUN_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/initramfs/guest_blob.o: initramfs/guest_blob.S $(BUILD)/vmrun-init
	@mkdir -p $(@D)
	@echo "  AS    $@"
	$(Q)$(CC) -DVMRUN_INIT_PATH='"$(BUILD)/vmrun-init"' -fPIE -c -o $@ $<

$(BUILD)/vmrun-init: $(GUEST_C) runner/proto/proto.c $(HEADERS)
	@mkdir -p $(@D)
	@echo "  GUEST $@"
	$(Q)$(GUEST_CC) -I. -D_GNU_SOURCE $(GUEST_CFLAGS) -o $@ $(filter %.c,$^)

$(BUILD)/initramfs/disk_blob.o: initramfs/disk_blob.S $(BUILD)/vmrun-disk-init
	@mkdir -p $(@D)
	@echo "  AS    $@"
	$(Q)$(CC) -DVMRUN_DISK_INIT_PATH='"$(BUILD)/vmrun-disk-init"' -fPIE -c -o $@ $<

# With what it shares with vmrun-init; the linker leaves the rest of that out.
$(BUILD)/vmrun-disk-init: $(DISK_INIT_C) $(addprefix initramfs/guest/,modules.c report.c link.c fail.c) \
		runner/proto/proto.c $(HEADERS)
	@mkdir -p $(@D)
	@echo "  GUEST $@"
	$(Q)$(GUEST_CC) -I. -D_GNU_SOURCE $(GUEST_CFLAGS) -o $@ $(filter %.c,$^)

$(BUILD)/rootfs-tools/disk/guest_blob.o: rootfs-tools/disk/guest_blob.S $(BUILD)/vmrun-disk-reader
	@mkdir -p $(@D)
	@echo "  AS    $@"
	$(Q)$(CC) -DDISK_READER_PATH='"$(BUILD)/vmrun-disk-reader"' -fPIE -c -o $@ $<

$(BUILD)/vmrun-disk-reader: $(READER_C) $(HEADERS)
	@mkdir -p $(@D)
	@echo "  GUEST $@"
	$(Q)$(GUEST_CC) -I. -D_GNU_SOURCE $(GUEST_CFLAGS) -o $@ $(filter %.c,$^)

$(BUILD)/runner/preload/blob.o: runner/preload/blob.S $(BUILD)/ram_readonly.so
	@mkdir -p $(@D)
	@echo "  AS    $@"
	$(Q)$(CC) -DRAM_READONLY_PATH='"$(BUILD)/ram_readonly.so"' -fPIE -c -o $@ $<

$(BUILD)/ram_readonly.so: $(PRELOAD_C) $(HEADERS) $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) -I. -D_GNU_SOURCE $(PRELOAD_CFLAGS) -o $@ $<

# Run while building: no sanitizer, whatever vmrun gets.
$(BUILD)/filter_compile: $(FILTER_C) runner/jail/filter_table.c $(HEADERS) $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(CPPFLAGS) -std=gnu11 $(WARNINGS) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.c,$^) -lseccomp

$(BUILD)/filter_programs.c: $(BUILD)/filter_compile
	@echo "  GEN   $@"
	$(Q)$< >$@

$(BUILD)/runner/jail/filter_programs.o: $(BUILD)/filter_programs.c
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(CPPFLAGS) $(VMRUN_CFLAGS) $(CFLAGS) -c -o $@ $<

# As vmrun-init: it brings no library into the jail that it is to get out of.
$(BUILD)/runner/vm/escape_blob.o: runner/vm/escape_blob.S $(BUILD)/vmrun-escape
	@mkdir -p $(@D)
	@echo "  AS    $@"
	$(Q)$(CC) -DESCAPE_PATH='"$(BUILD)/vmrun-escape"' -fPIE -c -o $@ $<

$(BUILD)/vmrun-escape: $(ESCAPE_C) $(HEADERS)
	@mkdir -p $(@D)
	@echo "  GUEST $@"
	$(Q)$(GUEST_CC) -I. -D_GNU_SOURCE $(GUEST_CFLAGS) -o $@ $(filter %.c,$^)

# The guest's parts, less its main(), for tests on the host.
$(BUILD)/libguest.a: $(call objects,$(filter-out %/init.c,$(GUEST_C)) runner/proto/proto.c)
	@echo "  AR    $@"
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/unit/test_guest_%: $(BUILD)/tests/unit/test_guest_%.o $(BUILD)/libguest.a
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(VMRUN_LDFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/libvmrun.a
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(VMRUN_LDFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)

# It looks up numbers, to run the filters itself.
$(BUILD)/unit/test_filter: private LDLIBS += -lseccomp

$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/libvmrun.a
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(VMRUN_LDFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

# Other flags or another compiler: everything anew.
$(BUILD)/flags: export FLAGS := $(CC) $(CPPFLAGS) $(VMRUN_CFLAGS) $(CFLAGS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo "$$FLAGS" | cmp -s - $@ || echo "$$FLAGS" >$@

-include $(patsubst %.o,%.d,$(call objects,$(ALL_C)))

# --- tests ---

ASAN := $(MAKE) BUILD=build/asan SANITIZE=address,undefined
build-unit: $(UNIT_TESTS)
build-unit-asan:
	+$(ASAN) build-unit
build-fuzz: $(FUZZERS)

unit: build-unit
	tests/run unit

unit-asan: build-unit-asan
	tests/run unit-asan

# Which the guest of tests/e2e/cgroup.sh runs.
e2e: $(BUILD)/unit/test_cgroup

golden e2e escape hostile-guest kill: all
	tests/run $@

check:
	contrib/install-deps build run export test lint
	$(MAKE) -j$(JOBS) WERROR=1 all
	$(MAKE) -j$(JOBS) check-layers check-headers
	$(MAKE) -j$(JOBS) WERROR=1 build-unit build-unit-asan
	contrib/beside build/lint.log $(MAKE) -k lint -- \
		tests/run unit unit-asan golden e2e escape hostile-guest kill

fuzz:
	$(MAKE) BUILD=build/fuzz-asan CC=clang SANITIZE=fuzzer-no-link,address,undefined build-fuzz
	tests/fuzz/run $(FUZZ_SECONDS) $(patsubst tests/fuzz/%.c,build/fuzz-asan/fuzz/%,$(FUZZ_C))

bench: all
	contrib/install-deps run bench
	tests/run bench

# --- what reads the source ---

LINTED := $(patsubst %.c,build/lint/%.ok,$(ALL_C) $(wildcard tests/lib/*.c))
TIDY_FLAGS = -std=gnu11 $(CPPFLAGS) $(WARNINGS) $(if $(filter runner/base/err.c,$<),,-include contrib/analyzer.h)

lint: tidy cppcheck shellcheck

tidy: $(LINTED)

cppcheck:
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
		--error-exitcode=1 -j $(JOBS) -I. -D_GNU_SOURCE --suppressions-list=.cppcheck \
		runner initramfs rootfs-tools tests/unit tests/fuzz

shellcheck:
	shellcheck -x $(SCRIPTS)

build/lint/%.ok: %.c $(HEADERS) .clang-tidy
	@mkdir -p $(@D)
	@echo "  TIDY  $<"
	$(Q)clang-tidy --quiet --warnings-as-errors='*' $< -- $(TIDY_FLAGS)
	@touch $@

check-layers:
	contrib/check-layers

check-headers: $(patsubst %.h,build/headers/%.ok,$(HEADERS))

build/headers/%.ok: %.h $(HEADERS)
	@mkdir -p $(@D)
	@$(CC) -fsyntax-only -x c -std=gnu11 $(CPPFLAGS) $(WARNINGS) -Werror $<
	@touch $@

format:
	clang-format -i $(ALL_C) $(HEADERS)

# --- for users ---

demo:
	contrib/install-deps build run
	$(MAKE) -j$(JOBS) all
	[ -d base ] || contrib/make-demo-base base
	./vmrun ./base -- sh -c 'echo "Hello from Linux $$(uname -r) on $$(. /etc/os-release; echo "$$PRETTY_NAME")"'

install: all
	install -D -m 755 vmrun $(DESTDIR)$(PREFIX)/bin/vmrun
	ln -sf vmrun $(DESTDIR)$(PREFIX)/bin/vmrun-rootfs
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 contrib/man/vmrun.1 \
		contrib/man/vmrun-sandbox.1 contrib/man/vmrun-template.1 \
		contrib/man/vmrun-rootfs.1

clean:
	rm -rf build vmrun

FORCE:
.PHONY: all build-unit build-unit-asan build-fuzz unit unit-asan golden e2e escape hostile-guest kill check fuzz bench lint \
	tidy cppcheck shellcheck check-layers check-headers format demo install clean FORCE
.SECONDARY:
.DELETE_ON_ERROR:
