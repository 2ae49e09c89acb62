/* SPDX-License-Identifier: MIT
 *
 * The trap's part of changing code: cpu/static_branch.c.
 */
#ifndef ARCH_TEXT_POKE_H
#define ARCH_TEXT_POKE_H

#include <arch/trap_frame.h>

/* INT3 in the kernel: at a site that is being changed, goes on behind it. False: it is none of ours. */
bool static_branch_trap(struct trap_frame *tf);

#endif
