# SPDX-License-Identifier: MIT
#
# Faultline's build. `make help` lists the targets; everything made lands in $(O), build/ unless said otherwise.
#
# Sources are found by folder, so a new file needs no line here. lib/ and mm/ (and the page-table walker)
# see only include/ and the arch seam, and link into libmm.a; the host tests build the same files again.

O ?= build
V ?= 0
DEBUG ?= 0
MEM ?= 512M
SMP ?= 1
MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$1' '$(patsubst $(O)/%,%,$2)')

# ---- tools ----

ifeq ($(origin CROSS_COMPILE),undefined)
ifneq ($(shell command -v x86_64-elf-gcc 2>/dev/null),)
CROSS_COMPILE := x86_64-elf-
endif
endif
ifeq ($(origin CC),default)
CC := $(CROSS_COMPILE)gcc
endif
LD := $(CROSS_COMPILE)ld
AR := $(CROSS_COMPILE)ar
NM := $(CROSS_COMPILE)nm
NASM ?= nasm
PYTHON ?= $(shell test -x /usr/bin/python3 && echo /usr/bin/python3 || echo python3)
MUSL_CC ?= musl-gcc
STRIP := $(CROSS_COMPILE)strip

IS_CLANG := $(findstring clang,$(notdir $(CC)))

# ---- flags ----

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wvla -Wundef -Wpointer-arith -Wwrite-strings
CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fno-pie -fno-pic -mcmodel=kernel -mno-red-zone \
	-mgeneral-regs-only -fcf-protection=none -fno-stack-protector -fno-strict-aliasing \
	-fno-omit-frame-pointer -fno-asynchronous-unwind-tables -fno-common \
	-fmacro-prefix-map=$(CURDIR)/= $(WARNINGS)
NASMFLAGS := -f elf64 -g -F dwarf -w+error
LDFLAGS := -nostdlib -static --build-id=none -z max-page-size=4096 -z noexecstack
ifneq ($(IS_CLANG),)
CFLAGS += --target=x86_64-unknown-none-elf
endif
ifeq ($(DEBUG),1)
# A trap instead of a report: the undefined operation ends in a panic with a backtrace.
CFLAGS += -DCONFIG_DEBUG -fsanitize=undefined -fno-sanitize=alignment -fsanitize-undefined-trap-on-error
NASMFLAGS += -DCONFIG_DEBUG
KOUT := $(O)/debug
else
KOUT := $(O)
endif

LIB_INC := -Iinclude -Iarch/x86_64/include
KERN_INC := $(LIB_INC) -I.

# ---- sources ----

LIB_SRC := $(sort $(wildcard lib/*.c mm/*.c) $(wildcard arch/x86_64/mm/pgtable.c))
KERN_SRC := $(sort $(filter-out arch/x86_64/mm/pgtable.c arch/x86_64/vdso/%,$(wildcard arch/x86_64/*.c arch/x86_64/*/*.c)) \
	$(wildcard kernel/*.c kernel/*/*.c fs/*.c fs/*/*.c drivers/*.c drivers/*/*.c))
ASM_SRC := $(sort $(wildcard arch/x86_64/*.asm arch/x86_64/*/*.asm))

LIB_OBJ := $(LIB_SRC:%.c=$(KOUT)/obj/%.o)
KERN_OBJ := $(KERN_SRC:%.c=$(KOUT)/obj/%.o) $(ASM_SRC:%.asm=$(KOUT)/obj/%.asm.o)
OBJ := $(LIB_OBJ) $(KERN_OBJ)

USER_SRC := $(sort $(wildcard user/*.c))
INIT_OBJ := $(patsubst %.c,$(O)/obj/%.o,$(sort $(wildcard user/init/*.c)))
USER_BIN := $(USER_SRC:user/%.c=$(O)/user/%)
UTEST_SRC := $(sort $(wildcard tests/user/*.c))
UTEST_BIN := $(UTEST_SRC:tests/user/%.c=$(O)/tests/user/%)
UTEST_LIB_OBJ := $(patsubst %.c,$(O)/obj/%.o,$(sort $(wildcard tests/user/lib/*.c)))
UTEST_LIB := $(O)/obj/tests/user/libtest.a

.PHONY: all
all: kernel user ## the kernel (DEBUG=1: with assertions) and the programs

# ---- the kernel ----

.PHONY: kernel
kernel: $(KOUT)/kernel.elf

# Objects are rebuilt when the compiler or a flag changes.
FLAGS_TEXT := $(CC) $(CFLAGS) $(NASM) $(NASMFLAGS) $(LD) $(LDFLAGS)
$(KOUT)/flags: FORCE
	@mkdir -p $(@D); printf '%s\n' '$(FLAGS_TEXT)' | cmp -s - $@ || printf '%s\n' '$(FLAGS_TEXT)' >$@

$(LIB_OBJ): INC := $(LIB_INC)
$(KERN_OBJ): INC := $(KERN_INC)
# The compiler must not turn memcpy()'s own loop into a call of memcpy().
$(filter $(KOUT)/obj/lib/string.o,$(LIB_OBJ)): EXTRA := $(if $(IS_CLANG),-fno-builtin,-fno-tree-loop-distribute-patterns)

$(KOUT)/obj/%.o: %.c $(KOUT)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(EXTRA) $(INC) -MMD -MP -c $< -o $@

$(KOUT)/obj/%.asm.o: %.asm $(KOUT)/flags
	$(call say,NASM,$<)
	@mkdir -p $(@D)
	$(Q)$(NASM) $(NASMFLAGS) -Iarch/x86_64/ -I$(<D)/ -MD $(@:.o=.d) -MP -MT $@ $< -o $@

# What the kernel maps into every program: built like a program's shared object, carried in the kernel's data.
VDSO := $(KOUT)/obj/arch/x86_64/vdso/vdso
VDSO_CFLAGS := -std=gnu11 -O2 -ffreestanding -fPIC -fvisibility=hidden -mgeneral-regs-only -fcf-protection=none \
	-fno-stack-protector -fno-asynchronous-unwind-tables $(WARNINGS) $(if $(IS_CLANG),--target=x86_64-unknown-none-elf)
VDSO_LDFLAGS := -nostdlib -shared -soname linux-vdso.so.1 --hash-style=both --build-id=none -z max-page-size=4096 \
	-z noexecstack --no-undefined

$(VDSO).o: arch/x86_64/vdso/vdso.c $(KOUT)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(VDSO_CFLAGS) $(LIB_INC) -MMD -MP -c $< -o $@

$(VDSO).so: $(VDSO).o arch/x86_64/vdso/vdso.lds
	$(call say,LD,$@)
	$(Q)$(LD) $(VDSO_LDFLAGS) -T arch/x86_64/vdso/vdso.lds -o $@ $<

$(KOUT)/obj/arch/x86_64/vdso/image.asm.o: NASMFLAGS += -I$(KOUT)/obj/arch/x86_64/vdso/
$(KOUT)/obj/arch/x86_64/vdso/image.asm.o: $(VDSO).so

$(KOUT)/libmm.a: $(LIB_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@; $(AR) rcsD $@ $(LIB_OBJ)

LINK = $(LD) $(LDFLAGS) -T linker.ld -o $@ $(KERN_OBJ) --whole-archive $(KOUT)/libmm.a --no-whole-archive

# Linked twice: the first link says where the functions are, the second carries the table for backtraces.
# The table ends the read-only data, behind the code, so no function moves.
KSYMS := $(wildcard tools/ksyms.py)
ifneq ($(KSYMS),)
$(KOUT)/kernel.nosyms.elf: $(KERN_OBJ) $(KOUT)/libmm.a linker.ld
	$(Q)$(LINK)

$(KOUT)/ksyms.asm: $(KOUT)/kernel.nosyms.elf $(KSYMS)
	$(call say,KSYMS,$@)
	$(Q)$(NM) -n $< | $(PYTHON) $(KSYMS) >$@

$(KOUT)/ksyms.o: $(KOUT)/ksyms.asm
	$(Q)$(NASM) $(NASMFLAGS) $< -o $@

$(KOUT)/kernel.elf: $(KOUT)/ksyms.o
	$(call say,LD,$@)
	$(Q)$(LINK) $<
else
$(KOUT)/kernel.elf: $(KERN_OBJ) $(KOUT)/libmm.a linker.ld
	$(call say,LD,$@)
	$(Q)$(LINK)
endif

# ---- programs: static, musl ----

USER_CFLAGS := -std=gnu11 -O2 -g -static -pthread -Wall -Wextra -Werror -Iinclude

.PHONY: user
user: $(USER_BIN) $(O)/user/init
.PHONY: tests-user
tests-user: $(UTEST_BIN)

$(O)/user/%: user/%.c
	$(call say,MUSL,$<)
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(USER_CFLAGS) -MMD -MP -MF $@.d -MT $@ $< -o $@

$(INIT_OBJ) $(UTEST_LIB_OBJ): $(O)/obj/%.o: %.c
	$(call say,MUSL,$<)
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(USER_CFLAGS) -MMD -MP -c $< -o $@

$(O)/user/init: $(INIT_OBJ)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(USER_CFLAGS) $^ -o $@

$(UTEST_LIB): $(UTEST_LIB_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@; $(AR) rcsD $@ $^

$(O)/tests/user/%: tests/user/%.c $(UTEST_LIB)
	$(call say,MUSL,$<)
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(USER_CFLAGS) -MMD -MP -MF $@.d -MT $@ $< $(UTEST_LIB) -o $@

# Linux's own selftests: unpacked from the distribution's package and built as they are.
SELFTESTS := $(O)/linux/selftests/built
.PHONY: selftests
selftests: $(SELFTESTS)
$(SELFTESTS): tools/linux_selftests.py tests/linux/selftests.list
	$(call say,LINUX,$(@D))
	$(Q)$(PYTHON) tools/linux_selftests.py build $(@D)
	$(Q)touch $@

# ---- make run: the GRUB image ----

ISO := $(KOUT)/faultline.iso
INITRAMFS := $(O)/initramfs.cpio

$(INITRAMFS): $(O)/user/init $(USER_BIN) tools/mkinitramfs.py tools/elf.py
	$(call say,CPIO,$@)
	$(Q)$(PYTHON) tools/mkinitramfs.py -o $@ --init $(O)/user/init \
		$(foreach u,$(USER_BIN),--add $u:/usr/bin/$(notdir $u))

$(ISO): $(KOUT)/kernel.elf $(INITRAMFS) tools/grub.cfg
	$(call say,GRUB,$@)
	$(Q)rm -rf $(KOUT)/iso && mkdir -p $(KOUT)/iso/boot/grub
	$(Q)$(STRIP) -o $(KOUT)/iso/boot/kernel.elf $(KOUT)/kernel.elf
	$(Q)cp $(INITRAMFS) $(KOUT)/iso/boot/initramfs.cpio
	$(Q)cp tools/grub.cfg $(KOUT)/iso/boot/grub/grub.cfg
	$(Q)grub-mkrescue -o $@ $(KOUT)/iso >$(KOUT)/grub.log 2>&1 || { cat $(KOUT)/grub.log; exit 1; }

.PHONY: image run run-image
image: ## the bootable GRUB image, faultline.iso
	@tools/setup run
	@$(MAKE) $(ISO)

run: ## from a fresh checkout to a BusyBox shell (MEM=512M SMP=1; Ctrl-A X leaves)
	@tools/setup run
	@$(MAKE) run-image

# The guest switches the machine off through the debug-exit device, which gives QEMU status 33.
run-image: $(ISO)
	@echo 'Ctrl-A X leaves.'
	@qemu-system-x86_64 -accel tcg -cpu max,-la57 -m $(MEM) -smp $(SMP) -nic none -display none -no-reboot \
		-device isa-debug-exit,iobase=0xf4,iosize=0x04 -serial mon:stdio -boot d -cdrom $(ISO); \
		status=$$?; [ $$status = 33 ] || exit $$status

# ---- tests ----

PYTEST := O=$(abspath $(O)) PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest -p no:cacheprovider -o console_output_style=classic --rootdir tests

ifneq ($(filter host-%,$(MAKECMDGOALS)),)
include tests/host/host.mk
endif

.PHONY: test test-built quick quick-built soak
test: ## everything: host units, user tests on Linux and here, whole programs (under 25 minutes)
	@tools/setup test
	@$(MAKE) test-built

quick: ## the same with one boot for all user tests (under 2 minutes)
	@tools/setup test
	@$(MAKE) quick-built

TEST_NEEDS := kernel user tests-user selftests
CPUS = $(shell nproc)
# What the tests need is built on all CPUs, whether or not make was told so.
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(CPUS))
# More machines than this at a time have too little of a CPU each.
LANES = --lanes $(CPUS)
test-built:
	@$(MAKE) $(JOBS) $(TEST_NEEDS)
	@$(MAKE) $(JOBS) DEBUG=1 kernel
	-@$(MAKE) $(O)/linux/vmlinuz
	@$(MAKE) $(JOBS) host-build
	@$(PYTEST) tests $(LANES) $(PYTEST_ARGS)

quick-built:
	@$(MAKE) $(JOBS) $(TEST_NEEDS)
	@$(MAKE) $(JOBS) DEBUG=1 kernel
	@$(MAKE) $(JOBS) host-build
	@$(PYTEST) tests --quick $(LANES) $(PYTEST_ARGS)

SOAK_SECONDS ?= 600
SOAK_OPS ?= 1000000
STORM_SECONDS ?= 3600

# SEED=n repeats; each run says which seed it has.
soak: $(TEST_NEEDS) ## each fuzzer for SOAK_SECONDS, SOAK_OPS random memory calls, the storm for STORM_SECONDS, soak-smp, soak-stress (SEED=n repeats)
	@tools/setup test
	@$(MAKE) DEBUG=1 kernel
	@$(MAKE) host-fuzz FUZZ_SECONDS=$(SOAK_SECONDS)
	@seed=$${SEED:-$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}; for debug in '' --debug; do \
		./run --build-dir $(O) --no-build $$debug -- $(O)/user/mmfuzz --seed $$seed --ops $(SOAK_OPS) || exit; done; \
		$(PYTHON) tests/storm.py --build-dir $(O) --seconds $(STORM_SECONDS) --seed $$seed
	@$(MAKE) soak-smp
	@$(MAKE) soak-stress

.PHONY: soak-smp soak-stress
soak-smp: $(TEST_NEEDS) ## races on 2, 4 and 8 CPUs for hours: mmrace, munmap_stale, stress-ng; stress-ng in swap
	@tools/setup test
	@$(MAKE) DEBUG=1 kernel
	@$(PYTEST) tests/test_smp.py tests/test_stress_ng.py --soak $(PYTEST_ARGS)

soak-stress: $(TEST_NEEDS) ## half an hour each with 1, 2 and 4 CPUs, with and without large folios, of races with too little memory and with swap (MINUTES=n, SEED=n)
	@tools/setup test
	@$(MAKE) DEBUG=1 kernel
	@$(PYTEST) tests/test_stress.py --soak $(PYTEST_ARGS)

# ---- measuring ----

BENCH_NEEDS := kernel $(O)/user/mmbench $(O)/user/init

.PHONY: bench bench-built bench-check bench-update
bench: ## the same benchmarks here and on Linux, in guest instructions (CASE=anon selects; WALL=1: time; RUNS=n; BENCH_ARGS=--help)
	@tools/setup run
	@$(MAKE) bench-built

bench-built: $(BENCH_NEEDS) $(O)/linux/vmlinuz
	@$(PYTHON) tools/bench.py --build-dir $(O) $(if $(CASE),--case $(CASE)) $(if $(filter 1,$(WALL)),--wall) \
		$(if $(RUNS),--runs $(RUNS)) $(BENCH_ARGS)

bench-check: $(BENCH_NEEDS) ## compares with tests/bench/expected, as `make test` does (seconds)
	@$(PYTHON) tools/bench_guard.py --build-dir $(O) check

bench-update: $(BENCH_NEEDS) ## writes tests/bench/expected anew: what cases cost here, to be committed with what changed it
	@$(PYTHON) tools/bench_guard.py --build-dir $(O) update

.PHONY: experiment experiment-built
experiment: ## runs the matrix of experiments/NAME.toml and writes its report: E=NAME (EXPERIMENT_ARGS=--help; without E: the list)
	@tools/setup report
	@$(MAKE) experiment-built

experiment-built: kernel user $(O)/linux/vmlinuz
	@$(PYTHON) tools/experiment.py --build-dir $(O) $(or $(E),--list) $(EXPERIMENT_ARGS)

# The distribution's kernel and what its disks need, for --kernel linux.
$(O)/linux/vmlinuz: tools/linux-kernel
	$(call say,FETCH,$@)
	$(Q)tools/linux-kernel $(@D)

# ---- lint ----

FORMATTED = $(shell git ls-files -co --exclude-standard '*.c' '*.h')
CHECKED = $(LIB_SRC) $(KERN_SRC)

.PHONY: lint lint-built format check-format check-layers check-imports imports check-docs check-static check-builds
lint: ## format, layers, imports, docs, GCC and Clang, release and debug, static checkers
	@tools/setup lint
	@$(MAKE) lint-built

lint-built: check-layers check-imports check-docs check-format check-builds check-static

check-layers:
	@$(PYTHON) tools/check_layers.py

LOCK_TABLE := $(O)/tests/user/mlock_transitions

check-docs: $(LOCK_TABLE)
	@$(PYTHON) tools/check_docs.py
	@$(PYTHON) tools/abi_table.py --check
	@$(PYTHON) tools/knobs.py --check
	@$(PYTHON) tools/linux_selftests.py docs --check
	@$(PYTHON) tools/lock_table.py --check $(LOCK_TABLE)

.PHONY: docs
docs: $(LOCK_TABLE) ## writes the generated chapters anew: abi.md, knobs.md, lock-transitions.md, (after make test) selftests.md
	@$(PYTHON) tools/abi_table.py
	@$(PYTHON) tools/knobs.py
	@$(PYTHON) tools/lock_table.py $(LOCK_TABLE)
	@test ! -e $(O)/linux/selftests/results.json || $(PYTHON) tools/linux_selftests.py docs --results $(O)/linux/selftests/results.json

# The subsystem's whole dependency on the machine, on one reviewed page.
IMPORTS = { $(NM) -u $(O)/libmm.a; $(NM) -u $(O)/debug/libmm.a; } | awk 'NF == 2 {print $$2}' | sort -u | \
	{ $(NM) --defined-only $(O)/libmm.a $(O)/debug/libmm.a | awk 'NF == 3 {print $$3}' | sort -u >$(O)/libmm.defined; \
	comm -23 - $(O)/libmm.defined; }

check-imports: $(O)/libmm.a
	@$(MAKE) DEBUG=1 $(O)/debug/libmm.a
	@$(IMPORTS) | diff -u tools/mm_imports.txt - && echo "imports of libmm.a: as reviewed"

imports: $(O)/libmm.a ## writes tools/mm_imports.txt anew
	@$(MAKE) DEBUG=1 $(O)/debug/libmm.a
	@$(IMPORTS) >tools/mm_imports.txt

check-format:
	@clang-format --dry-run -Werror $(FORMATTED) && echo "format: clean"

format: ## applies .clang-format
	@clang-format -i $(FORMATTED)

check-builds:
	@$(MAKE) kernel
	@$(MAKE) DEBUG=1 kernel
	@$(MAKE) CC=clang O=$(O)/clang kernel
	@$(MAKE) CC=clang DEBUG=1 O=$(O)/clang kernel

check-static:
	@cppcheck -q --std=c11 --enable=warning,portability --inline-suppr --suppressions-list=tools/cppcheck.txt \
		--error-exitcode=1 $(KERN_INC) -D__x86_64__ $(CHECKED)
	@clang-tidy --quiet --warnings-as-errors='*' $(CHECKED) -- $(filter-out -W%,$(CFLAGS)) $(KERN_INC) 2>/dev/null
	@echo "static checkers: clean"

compile_commands.json: FORCE ## for editors
	@printf '[' >$@; sep=; for f in $(LIB_SRC) $(KERN_SRC); do \
		printf '%s\n{"directory":"$(CURDIR)","file":"%s","command":"$(CC) $(CFLAGS) $(KERN_INC) -c %s"}' \
		"$$sep" "$$f" "$$f"; sep=,; done >>$@; printf '\n]\n' >>$@

# ---- the rest ----

.PHONY: gdb
gdb: ## the debug kernel under gdb with commands of its own: boots PROG, stops at kernel_main
	@tools/setup gdb
	@$(MAKE) DEBUG=1 kernel user
	@./run --build-dir $(O) --debug --gdb -- $(or $(PROG),busybox sh -c 'echo booted') </dev/null & \
		gdb -q -x tools/gdb/faultline.py $(O)/debug/kernel.elf -ex 'target remote :1234' -ex 'hbreak kernel_main' -ex continue; kill $$! 2>/dev/null || :

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z][a-z_.]*\):[^#=]*## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{printf "  make %-22s %s\n", $$1, $$2}'
	@echo '  variables: O=DIR V=1 DEBUG=1 CC=clang CROSS_COMPILE=x86_64-elf-'

.PHONY: clean
clean: ## removes what was built
	$(Q)rm -rf $(O)

.PHONY: FORCE
FORCE:

-include $(OBJ:.o=.d) $(VDSO).d $(INIT_OBJ:.o=.d) $(UTEST_LIB_OBJ:.o=.d) $(USER_BIN:%=%.d) $(UTEST_BIN:%=%.d)
