/* SPDX-License-Identifier: MIT
 *
 * Knobs: named choices, listed in knobs.def, stored in lib/knobs.c.
 */
#ifndef KERN_KNOBS_H
#define KERN_KNOBS_H

#include <kern/types.h>

#define KNOB_RANGE(id, name, def, lo, hi, text) extern unsigned long knob_##id;
#define KNOB_CHOICE(id, name, def, choices, text) extern unsigned long knob_##id;
#include <kern/knobs.def>
#undef KNOB_RANGE
#undef KNOB_CHOICE

/* A choice is stored as the index of its alternative. 0, -ENOENT (no such knob) or -EINVAL. */
int knob_set(const char *name, const char *value);
/* Calls fn for each knob; value is the current one as text. */
void knob_for_each(void (*fn)(void *arg, const char *name, const char *value, const char *text),
		   void *arg);

/* The kernel command line as the loader gave it. kernel/main.c sets it before anything else runs. */
extern const char *kernel_cmdline;

#endif
