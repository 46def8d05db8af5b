# SPDX-License-Identifier: MIT
# The modules for one kernel and the programs; what runs in a guest is in vm/.

KDIR ?= /lib/modules/$(shell uname -r)/build
release = $(shell cat $(KDIR)/include/config/kernel.release 2>/dev/null)
# What make check runs on (stock, 7.3), and which configurations of igt-tests/configurations (all).
KERNEL ?= stock
CONFIGURATIONS ?=
parts = $(foreach part,$(1),$(if $(wildcard $(part)/Makefile),$(part)))

all: modules userspace

modules: $(if $(wildcard Kbuild),kdir)
ifneq ($(wildcard Kbuild),)
	$(MAKE) -C $(KDIR) M=$(CURDIR) MO=$(CURDIR)/build/modules/$(release) modules
endif

kdir:
	@test -e $(KDIR)/include/config/kernel.release || { \
		echo "make: KDIR=$(KDIR) is not the build tree of a kernel."; \
		echo "Install the headers of the running kernel (Debian: linux-headers-$$(uname -r)),"; \
		echo "or set KDIR to the build tree of another one, 7.2 or newer,"; \
		echo "or build and run in a guest: make demo, make shell."; exit 1; } >&2
	@mkdir -p build/modules/$(release)

userspace:
ifneq ($(call parts,userspace),)
	$(MAKE) -C userspace O=$(CURDIR)/build/bin
endif

# The tests need libigt, which the guest image has.
tests:
ifneq ($(call parts,igt-tests),)
	$(MAKE) -C igt-tests O=$(CURDIR)/build/bin/igt
endif

guest:
	vm/host-packages
	vm/image
	vm/build

demo: guest
	userspace/demo

# One of stock's configurations runs on 7.3, while the archive has that kernel.
check: guest
	vm/build 7.3 || test $$? -eq 3 -a $(KERNEL) != 7.3
	igt-tests/runner/check --kernel $(KERNEL) $(CONFIGURATIONS)

check-debug: guest
	vm/build debug
	igt-tests/runner/check --kernel debug $(CONFIGURATIONS)

lint:
	vm/host-packages
	lint/run

igt-compare: guest
	igt-tests/runner/compare $(DRIVERS)

soak: guest
	vm/build debug
	igt-tests/runner/soak $(if $(SEED),--seed $(SEED)) $(if $(OPS),--ops $(OPS))

coverage: guest
	vm/build debug
	igt-tests/coverage/run $(RUNS)

mutants: guest
	vm/build debug
	igt-tests/mutants/run $(MUTANTS)

shell: guest
	vm/run --shell

clean:
	rm -rf build

help:
	@echo "make          modules for KDIR ($(KDIR)) and programs"
	@echo "make demo     boot a guest and show what phyr does; from nothing, 5 minutes"
	@echo "make check    run every test in guests; last line: N passed, N failed. 25 minutes"
	@echo "make check KERNEL=7.3  the same on Debian's kernel 7.3"
	@echo "make check-debug  the same on a kernel with KASAN, lockdep, kmemleak, …, which is built first"
	@echo "              (15 minutes); some configurations: CONFIGURATIONS=\"kunit faults\""
	@echo "make lint     run the static checks (builds the debug kernel, too); last line: N passed, N failed"
	@echo "make igt-compare  IGT's own tests on phyr_vram and on stock drivers, side by side (vkms: on the"
	@echo "              debug kernel, which is built first);"
	@echo "              some of them: make igt-compare DRIVERS=\"phyr_vram bochs\""
	@echo "make soak     1,000,000 random operations on the debug kernel; SEED=N, OPS=N"
	@echo "make coverage which lines of dmabuf/, drm/, engine/, heap/ and media/ the tests reach, on the debug kernel;"
	@echo "              some runs: make coverage RUNS=\"kunit intel\" (igt-tests/coverage/run --help)"
	@echo "make mutants  mutation testing: applies 43 deliberate bugs, one at a time;"
	@echo "              some of them: make mutants MUTANTS=\"05 12\""
	@echo "make shell    a guest with everything loaded, to look around"
	@echo "make clean    remove build/ (the guest image is in the cache: see vm/image --help)"

.PHONY: all modules kdir userspace tests guest demo check check-debug coverage mutants soak lint igt-compare shell clean help
