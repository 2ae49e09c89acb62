/* SPDX-License-Identifier: MIT
 *
 * What programs can ask without a system call: arch/vdso.h, mapped by exec.
 */
#ifndef KERNEL_VDSO_H
#define KERNEL_VDSO_H

#include <kern/types.h>

struct mm;

/* Once, when there are files. */
void vdso_init(void);
/* CLOCK_REALTIME is that far ahead from now on. */
void vdso_set_realtime(s64 offset_ns);
/* Bytes that vdso_map() takes. */
unsigned long vdso_size(void);
/* Maps data and code from start on, which is free. Where the code is, for AT_SYSINFO_EHDR, or -errno. */
long vdso_map(struct mm *mm, unsigned long start);

#endif
