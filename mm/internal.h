/* SPDX-License-Identifier: MIT
 *
 * Shared inside mm/ only. mm/ works on the address space it is given and never on the running task's:
 * `current` is poisoned here.
 */
#ifndef MM_INTERNAL_H
#define MM_INTERNAL_H

#include <arch/page.h>
#include <arch/pgtable.h>
#include <arch/tlb.h>
#include <kern/atomic.h>
#include <kern/err.h>
#include <kern/failpoint.h>
#include <kern/knobs.h>
#include <kern/park.h>
#include <kern/string.h>
#include <kern/trace.h>
#include <mm/filemap.h>
#include <mm/mm.h>
#include <mm/page_alloc.h>
#include <mm/slab.h>
#include <mm/stats.h>
#include <mm/thp.h>
#include "anon_vma.h"
#include "vma_lock.h"

#pragma GCC poison current

/* ---- knob values, in the order of knobs.def ---- */

enum { THP_ALWAYS, THP_MADVISE, THP_NEVER };
enum { FAULT_LOCK_MMAP, FAULT_LOCK_VMA };
enum { POPULATE_INCREMENTAL, POPULATE_UNDER_WRITE_LOCK, POPULATE_EAGER };
enum { MUNLOCK_WALK, MUNLOCK_GUP };
enum { LOCKONFAULT_VMA, LOCKONFAULT_MM };
enum { MLOCK_ERROR_KEEP, MLOCK_ERROR_ROLLBACK };
enum { MLOCK_COUNT_PAGE, MLOCK_COUNT_RMAP };

#endif
