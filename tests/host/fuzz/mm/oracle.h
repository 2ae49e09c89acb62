/* SPDX-License-Identifier: MIT
 *
 * What the parts of fuzz_mm_ops.c share: the input, the oracle, and the operations, which take their parameters from the
 * input and do to the address space and to the oracle the same.
 */
#ifndef FUZZ_MM_ORACLE_H
#define FUZZ_MM_ORACLE_H

#include "sim.h"
#include "sim_host.h"

#include <stdio.h>

#define UNITS 96UL
#define MAX_SCALE 16UL
#define MAX_WINDOW (UNITS * MAX_SCALE)
#define NR_MMS 3
#define NR_FILES 3
#define OBJ_PAGES 80
#define SAMPLES 4

#define EXPECT(cond)                                                                               \
	do {                                                                                       \
		if (!(cond) && !failure_fired())                                                   \
			panic("oracle: %s at %s:%d", #cond, __FILE__, __LINE__);                   \
	} while (0)

/*
 * An operation may run with one allocation failing. When that happened the oracle knows nothing
 * any more: only the invariants are checked, and everything starts afresh.
 */
extern bool failure_armed;
bool failure_fired(void);

/* Offsets in a page of the bytes that the oracle knows. */
extern const unsigned int sample_at[SAMPLES];

/* What shared and file pages show: a file, or the memory behind one shared anonymous mapping. */
struct object {
	struct object *next; /* all of this run, to be freed at its end */
	struct file *file;   /* NULL: anonymous */
	bool writable;
	u64 size; /* bytes */
	u8 bytes[OBJ_PAGES][SAMPLES];
};

struct opage {
	bool mapped, shared, may_write, dontfork, wipe, locked;
	bool own; /* private: has a copy of its own */
	unsigned int prot;
	struct object *obj; /* NULL: private anonymous */
	unsigned long index;
	u8 bytes[SAMPLES]; /* while own */
};

struct space {
	struct mm *mm;
	struct opage page[MAX_WINDOW];
};

extern struct space spaces[NR_MMS];
extern struct object *files[NR_FILES];
extern struct object *objects;
extern unsigned long scale;	  /* pages in a unit of this run */
extern unsigned long nr_pages;	  /* of the window */
extern struct block_device *swap; /* NULL: no memory is taken away but what the disk has */
extern struct block_device *disk; /* behind the last file; NULL: nothing is */

/* ---- the input ---- */

extern const u8 *input, *input_end;

unsigned int take(void);
unsigned int take_below(unsigned int n);

struct range {
	unsigned long first, n; /* pages */
};

unsigned long take_page(void);
unsigned long take_length(unsigned int least, unsigned int most);
struct range take_range(void);

/* TRACE=1 in the environment: the operations of a run, readable. */
extern bool tracing;

#define TRACE(...)                                                                                 \
	do {                                                                                       \
		if (tracing)                                                                       \
			fprintf(stderr, __VA_ARGS__);                                              \
	} while (0)

/* ---- the oracle ---- */

/* Where the window's pages are. */
unsigned long va_of(unsigned long page);
struct object *new_object(struct file *file, bool writable, u64 size);
bool beyond_end(const struct opage *p);
u8 *bytes_of(struct opage *p);
enum fault_result expected(const struct opage *p, enum fault_access access);
/* The page becomes the mapping's own before a private write. */
void own_page(struct opage *p);
/* A file that can be cut and get holes, as one with a disk cannot. */
struct object *take_cuttable(void);
/* A hole in the file: whole pages read as zero, private copies stay. */
void punch(struct object *o, unsigned long index, unsigned long n);
/* Ordinary memory, as malloc() gets it. */
void map_memory(struct space *s, struct range r);

/* Vmas, invariants and TLB; one page's contents, those of all pages. */
void check_layout(struct space *s);
void check_page(struct space *s, unsigned long i);
void check_contents(struct space *s);

/* ---- operations ---- */

/* layout_ops.c */
void op_mmap(struct space *s);
void op_memory(struct space *s);
void op_munmap(struct space *s);
void op_mprotect(struct space *s);
void op_mremap(struct space *s);
void op_fork(struct space *s);
/* page_ops.c */
void op_madvise(struct space *s);
void op_write(struct space *s);
void op_read(struct space *s);
void op_exec(struct space *s);
void op_mincore(struct space *s);
void op_msync(struct space *s);
void op_get_page(struct space *s);
void op_mlock(struct space *s);
void op_munlock(struct space *s);
void op_check_contents(struct space *s);
/* other_ops.c */
void op_truncate(struct space *s);
void op_punch(struct space *s);
void op_file_write(struct space *s);
void op_reclaim(struct space *s);
void op_split_deferred(struct space *s);
void op_migrate(struct space *s);
void op_compact(struct space *s);
void op_collapse(struct space *s);
void op_khugepaged(struct space *s);
void op_shrink_zeroes(struct space *s);
void op_disk(struct space *s);

#endif
