# SPDX-License-Identifier: MIT
#
# The host tests: lib/ and mm/ built for this machine against tests/host/include, with the simulated
# machine of tests/host/sim. Included by the top Makefile; also runs by itself:
#
#   make -f tests/host/host.mk host-units          every unit test, with gcc and with clang
#   make -f tests/host/host.mk host-race           the tests with threads, under ThreadSanitizer
#   make -f tests/host/host.mk host-model          the models, with Spin
#   make -f tests/host/host.mk host-fuzz FUZZ_SECONDS=60 [FUZZ="mm_ops elf"]

O ?= build
V ?= 0
FUZZ_SECONDS ?= 60
HOST_CCS ?= gcc clang

HOST_DIR := tests/host
HOST_OUT := $(O)/host
HOST_INC := -I$(HOST_DIR)/unit -I$(HOST_DIR)/include -I$(HOST_DIR)/sim -Iinclude -Iarch/x86_64/include
HOST_CFLAGS := -std=gnu11 -O1 -g -pthread -fno-omit-frame-pointer -fno-strict-aliasing -DCONFIG_DEBUG \
	-Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wvla
HOST_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
# What threads do to each other is tested under ThreadSanitizer only; another seed in each of HOST_RACE_RUNS.
HOST_RACES := $(patsubst $(HOST_DIR)/race/%.c,%,$(sort $(wildcard $(HOST_DIR)/race/t_*.c)))
HOST_RACE_RUNS ?= 5
HOST_TSAN := -fsanitize=thread -D__SANITIZE_THREAD__

# Names that libc has too: ours are compiled under others, and tested under those.
HOST_LIBC := memcpy memmove memset memcmp memchr strlen strnlen strcmp strncmp strchr strrchr strstr \
	snprintf vsnprintf
HOST_RENAME := $(foreach f,$(HOST_LIBC),-D$(f)=fl_$(f))

HOST_SRC := $(sort $(wildcard lib/*.c mm/*.c)) arch/x86_64/mm/pgtable.c $(sort $(wildcard kernel/sync/*.c)) \
	$(sort $(wildcard $(HOST_DIR)/sim/*.c))
HOST_UNITS := $(patsubst $(HOST_DIR)/unit/%.c,%,$(sort $(wildcard $(HOST_DIR)/unit/t_*.c)))
HOST_MODELS := $(sort $(wildcard $(HOST_DIR)/../model/*.pml))
HOST_FUZZERS := $(patsubst $(HOST_DIR)/fuzz/fuzz_%.c,%,$(sort $(wildcard $(HOST_DIR)/fuzz/fuzz_*.c)))
FUZZ ?= $(HOST_FUZZERS)

# What a fuzzer or a unit test needs besides libmm.
HOST_EXTRA_multiboot := arch/x86_64/boot/multiboot2.c arch/x86_64/boot/ranges.c
HOST_EXTRA_madt := arch/x86_64/boot/madt.c
HOST_EXTRA_pvh := arch/x86_64/boot/pvh.c arch/x86_64/boot/ranges.c
HOST_EXTRA_elf := kernel/elf.c
HOST_EXTRA_cpio := fs/cpio.c
HOST_EXTRA_mm_ops := $(sort $(wildcard $(HOST_DIR)/fuzz/mm/*.c))
HOST_EXTRA_virtqueue := drivers/virtqueue.c

hostq := $(if $(filter 1,$(V)),,@)
hostsay = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$1' '$2')

.PHONY: host-units host-fuzz host-race host-model host-build
host-build: $(foreach cc,$(HOST_CCS),$(HOST_UNITS:%=$(HOST_OUT)/$(cc)/%)) $(HOST_RACES:%=$(HOST_OUT)/tsan/%)

host-units: host-build
	@$(HOST_DIR)/run-units $(foreach cc,$(HOST_CCS),$(HOST_UNITS:%=$(HOST_OUT)/$(cc)/%))

host-race: $(HOST_RACES:%=$(HOST_OUT)/tsan/%)
	@for i in $$(seq $(HOST_RACE_RUNS)); do $(HOST_DIR)/run-units $^ || exit 1; done

host-model:
	@for m in $(HOST_MODELS); do $(HOST_DIR)/../model/check $$m $(HOST_OUT)/model || exit 1; done

host-fuzz: $(FUZZ:%=$(HOST_OUT)/fuzz/fuzz_%)
	@$(HOST_DIR)/run-fuzz $(FUZZ_SECONDS) $(HOST_OUT)/fuzz $^

$(HOST_OUT)/%/obj/lib/string.o: HOST_EXTRA_CFLAGS := $(HOST_RENAME) -fno-builtin
$(HOST_OUT)/%/obj/lib/printf.o: HOST_EXTRA_CFLAGS := $(HOST_RENAME) -fno-builtin
$(HOST_OUT)/%/t_string: HOST_EXTRA_CFLAGS := -fno-builtin
$(HOST_OUT)/%/t_printf: HOST_EXTRA_CFLAGS := -fno-builtin

$(HOST_OUT)/tsan/obj/$(HOST_DIR)/sim/sim_mmu.o: HOST_EXTRA_CFLAGS := -fno-sanitize=thread

# $1: directory, $2: compiler, $3: more flags
define host_variant
$(HOST_OUT)/$1/obj/%.o: %.c $(HOST_DIR)/host.mk
	$$(call hostsay,HOSTCC,$1 $$<)
	@mkdir -p $$(@D)
	$$(hostq)$2 $(HOST_CFLAGS) $3 $$(HOST_EXTRA_CFLAGS) $(HOST_INC) -I. -MMD -MP -c $$< -o $$@

$(HOST_OUT)/$1/libmm.a: $(HOST_SRC:%.c=$(HOST_OUT)/$1/obj/%.o)
	$$(hostq)rm -f $$@; ar rcsD $$@ $$^
endef

$(foreach cc,$(HOST_CCS),$(eval $(call host_variant,$(cc),$(cc),$(HOST_SANITIZE))))
$(eval $(call host_variant,fuzz,clang,$(HOST_SANITIZE) -fsanitize=fuzzer-no-link))
$(eval $(call host_variant,tsan,clang,$(HOST_TSAN)))

# $1: directory, $2: compiler, $3: more flags, $4: where the tests are
define host_units
$(HOST_OUT)/$1/t_%: $(HOST_OUT)/$1/obj/$(HOST_DIR)/$4/t_%.o $(HOST_OUT)/$1/libmm.a
	$$(call hostsay,HOSTLD,$$@)
	$$(hostq)$2 $(HOST_CFLAGS) $3 -o $$@ $$^ -lcmocka
endef
$(foreach cc,$(HOST_CCS),$(eval $(call host_units,$(cc),$(cc),$(HOST_SANITIZE),unit)))
$(foreach cc,$(HOST_CCS),$(foreach t,$(HOST_UNITS:t_%=%),$(eval $(HOST_OUT)/$(cc)/t_$t: \
	$(HOST_EXTRA_$t:%.c=$(HOST_OUT)/$(cc)/obj/%.o))))
$(eval $(call host_units,tsan,clang,$(HOST_TSAN),race))

define host_fuzzer
$(HOST_OUT)/fuzz/fuzz_$1: $(HOST_OUT)/fuzz/obj/$(HOST_DIR)/fuzz/fuzz_$1.o $(HOST_EXTRA_$1:%.c=$(HOST_OUT)/fuzz/obj/%.o) $(HOST_OUT)/fuzz/libmm.a
	$$(call hostsay,HOSTLD,$$@)
	$$(hostq)clang $(HOST_CFLAGS) $(HOST_SANITIZE) -fsanitize=fuzzer -o $$@ $$^ -lcmocka
endef
$(foreach f,$(HOST_FUZZERS),$(eval $(call host_fuzzer,$(f))))

.SECONDARY:
-include $(shell find $(HOST_OUT) -name '*.d' 2>/dev/null)
