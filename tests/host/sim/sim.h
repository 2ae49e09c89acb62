/* SPDX-License-Identifier: MIT
 *
 * The machine that mm/ runs on in the host tests: memory, an MMU, one caller, files.
 */
#ifndef SIM_H
#define SIM_H

#include "../../../mm/internal.h"
#include <kern/block.h>
#include <mm/rmap.h>

/* ---- sim_phys.c ---- */

/* Boots: frames frames of RAM (the first stays reserved), allocators, mm_init(). Once a process. */
void sim_boot(unsigned long frames);
/* True when p lies in RAM that the allocators gave out. Without a sanitizer always true. */
bool sim_mem_usable(const void *p, size_t n);

/* What must be equal before and after a test. Caches and per-CPU lists are given back first. */
struct sim_resources {
	unsigned long free_pages, slab_objects, committed, page_tables;
};
struct sim_resources sim_resources(void);
/* True, and a message for each, when something differs. */
bool sim_leaks(const struct sim_resources *before);

/* ---- sim_cpu.c ---- */

extern unsigned long sim_cross_calls; /* [A] calls of on_each_cpu() */

/* ---- sim_mmu.c ---- */

/*
 * One access of the program in mm, byte by byte as far as it gets, faults and all. FAULT_DONE, or
 * the first failure.
 */
enum fault_result sim_read(struct mm *mm, unsigned long va, void *buf, size_t n);
enum fault_result sim_write(struct mm *mm, unsigned long va, const void *buf, size_t n);
enum fault_result sim_exec(struct mm *mm, unsigned long va);
/* One byte read or written while other threads use mm too. */
enum fault_result sim_access(struct mm *mm, unsigned long va, enum fault_access access, u8 *byte);
/* The common case: one byte. */
enum fault_result sim_touch(struct mm *mm, unsigned long va, enum fault_access access);
/* The byte at va, which must be readable. */
u8 sim_peek(struct mm *mm, unsigned long va);
void sim_poke(struct mm *mm, unsigned long va, u8 value);
/* Panics when the TLB knows something of mm that its page tables no longer say. */
void sim_tlb_check(struct mm *mm);
/* The entry for va; 0 when there is no table. */
pte_t sim_pte(struct mm *mm, unsigned long va);
/* The thread, mm's only one now, leaves the address space: the CPU loads another. */
void sim_mm_leave(struct mm *mm);
/* Checks the TLB against the page tables, leaves the address space and drops the user. */
void sim_mm_put(struct mm *mm);
/* How often the caller of a range flush lets others run before the flush happens: 0, unless a test is after that. */
extern unsigned int sim_flush_yields;
/* Entries the TLB holds for mm. */
unsigned long sim_tlb_entries(struct mm *mm);

/* ---- sim_caller.c ---- */

extern struct sim_caller {
	unsigned long rlimit[LIMIT_AS + 1]; /* by enum caller_limit */
	unsigned long hard_data_limit;
	bool ipc_lock, rawio, sys_admin;
	bool fatal_signal; /* park_interrupted() says yes */
	unsigned long faults, major_faults;
	void (*while_reading)(void); /* called when a disk file's page is read */
} sim_caller;

/* Limits as most processes have them, and no privilege. */
#define SIM_CALLER_INIT                                                                            \
	{                                                                                          \
		.rlimit = {                                                                        \
			[LIMIT_DATA] = ~0UL,                                                       \
			[LIMIT_STACK] = 8UL << 20,                                                 \
			[LIMIT_MEMLOCK] = 64UL << 10,                                              \
			[LIMIT_AS] = ~0UL,                                                         \
		},                                                                                 \
	}

/* ---- sim_block.c ---- */

/* size bytes of zeroes. */
struct block_device *sim_block_create(u64 size);
void sim_block_destroy(struct block_device *dev);
/* What is on it. */
void *sim_block_data(struct block_device *dev);
/* The device gets smaller; its contents beyond stay. */
void sim_block_resize(struct block_device *dev, u64 size);
struct sim_block_counts {
	unsigned long requests[BIO_FLUSH + 1], pages[BIO_FLUSH + 1]; /* by enum bio_op */
};
/* Since the last call. */
struct sim_block_counts sim_block_counts(struct block_device *dev);
/*
 * A thread may serve the device: from begin on requests wait for it, serve does them until somebody calls stop and
 * none is left.
 */
void sim_block_begin_serving(struct block_device *dev);
void sim_block_serve(struct block_device *dev);
void sim_block_stop_serving(struct block_device *dev);
/* From now on reads, writes fail with -EIO, or succeed again. */
void sim_block_fail(struct block_device *dev, bool reads, bool writes);
/* So do requests that read this page, by its number on the device; 0: none any more. */
void sim_block_fail_page(struct block_device *dev, u64 page);

/* try_to_unmap() and the flush that it owes. */
static inline bool unmap_now(struct folio *folio)
{
	struct unflushed u = { 0 };
	bool unmapped = try_to_unmap(folio, &u);

	unflushed_flush(&u);
	return unmapped;
}

/* ---- park_futex.c ---- */

enum sim_signal { SIM_SIGNAL_NONE, SIM_SIGNAL_ANY, SIM_SIGNAL_FATAL };
/* What is pending for the thread from now on; it is woken. */
void sim_signal(struct task *task, enum sim_signal signal);
/* park() may return without a reason: the task looks again. */
void sim_wake_for_nothing(struct task *task);
/* The caller's task is no more: unpark() of it panics. Or it begins again. */
void sim_task_ended(bool ended);
/* So often unpark() yields before it looks at the task. */
extern unsigned int sim_unpark_yields;

/* ---- sim_caller.c: files ---- */

struct file;
/* A tmpfs-like file, size bytes, readable; one reference. NULL when out of memory. */
struct file *sim_file(u64 size, bool writable);
/* A file whose pages are read from a device that fails when told to. */
struct file *sim_disk_file(u64 size, bool writable, bool fail);
/* A block device as a file. */
struct file *sim_block_file(struct block_device *dev);
struct mapping *sim_file_mapping(struct file *f);
/* A file that cannot be mapped. */
struct file *sim_pipe(void);
/* /dev/zero. */
struct file *sim_dev_zero(void);

#endif
