// SPDX-License-Identifier: MIT
/*
 * struct cpu of every CPU, and the offsets that assembly relies on.
 */
#include <arch/cpu.h>
#include <arch/gdt.h>
#include <arch/page.h>
#include <arch/trap_frame.h>
#include <kernel/syscall.h>
#include <kernel/task.h>

struct cpu cpus[MAX_CPUS] = { [0] = { .self = &cpus[0] } };

#define OFFSET(type, member, value)                                                                \
	_Static_assert(offsetof(type, member) == (value), #type "." #member " moved: see asm.inc")

OFFSET(struct cpu, self, 0);
OFFSET(struct cpu, user_rsp, 8);
OFFSET(struct cpu, kstack_top, 16);
OFFSET(struct cpu, current_task, 24);
OFFSET(struct cpu, id, 32);
OFFSET(struct cpu, need_resched, 36);
OFFSET(struct task, work, 48);
OFFSET(struct trap_frame, r15, 0);
OFFSET(struct trap_frame, rbp, 32);
OFFSET(struct trap_frame, rbx, 40);
OFFSET(struct trap_frame, r11, 48);
OFFSET(struct trap_frame, rax, 80);
OFFSET(struct trap_frame, rdi, 112);
OFFSET(struct trap_frame, orig_rax, 120);
OFFSET(struct trap_frame, rip, 128);
OFFSET(struct trap_frame, cs, 136);
OFFSET(struct trap_frame, ss, 160);
_Static_assert(sizeof(struct trap_frame) == 168, "asm.inc: TF_SIZE");
_Static_assert(NR_SYSCALLS == 512, "cpu/syscall.asm compares with 512");
_Static_assert(TASK_SIZE == 0x00007ffffffff000UL, "asm.inc: TASK_SIZE");
