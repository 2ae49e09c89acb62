/* SPDX-License-Identifier: MIT
 *
 * Random sequences of memory operations against a flat oracle with one entry a page.
 *
 * The oracle knows of each page of a small window, in each of a few address spaces: is it mapped,
 * with which rights, from which object at which index, and four of its bytes. It is as simple as
 * it can be, an array, so that it is right by inspection. After every operation the vmas must say
 * the same as the array, every invariant must hold and the TLB must hold nothing stale; reads and
 * writes must give the oracle's bytes or the oracle's fault. At the end everything is unmapped
 * and nothing may be missing.
 *
 * The window straddles a 1 GiB boundary, so that areas and moves cross tables of every level. In some runs it is sixteen
 * times as large, for folios of up to 2 MiB. In some a disk is behind one of the files, which is read ahead in folios of some size. Runs with large folios and swap reclaim, split and move them all the time.
 */
#include "mm/oracle.h"
#include "../../../mm/large.h"
#include "../unit/swap_device.h"

#include <stdlib.h>

#define SWAP_PAGES 8192

static void (*const operations[])(struct space *s) = {
	op_mmap,	   op_mmap,	op_mmap,	   op_munmap,	  op_mprotect,
	op_mprotect,	   op_mremap,	op_mremap,	   op_madvise,	  op_madvise,
	op_write,	   op_write,	op_write,	   op_read,	  op_exec,
	op_fork,	   op_truncate, op_punch,	   op_file_write, op_mincore,
	op_msync,	   op_get_page, op_check_contents, op_mlock,	  op_memory,
	op_memory,	   op_munlock,	op_reclaim,	   op_reclaim,	  op_migrate,
	op_split_deferred, op_compact,	op_collapse,	   op_collapse,	  op_khugepaged,
	op_shrink_zeroes,  op_disk,	op_disk,
};

/* ---- one run ---- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void begin(void)
{
	unsigned int kind;

	memset(spaces, 0, sizeof(spaces));
	sim_caller.ipc_lock = true;
	kind = take();
	knob_vma_index = kind % (VMA_INDEX_MAPLE + 1);
	knob_thp = kind & 0x10 ? THP_ALWAYS : THP_NEVER;
	knob_mthp_orders = knob_thp == THP_NEVER ? 0 : take() << 2;
	knob_thp_zero_page = !(kind & 4);
	knob_thp_shmem = kind & 0x80 ? (kind & 8 ? SHMEM_HUGE_FORCE : SHMEM_HUGE_WITHIN_SIZE)
				     : SHMEM_HUGE_NEVER;
	knob_thp_shmem_orders = kind & 0x80 ? take() << 2 : 0;
	scale = kind & 0x20 && knob_thp != THP_NEVER ? MAX_SCALE : 1;
	nr_pages = UNITS * scale;
	swap = kind & 0x40 ? swap_device_on(SWAP_PAGES) : NULL;
	kind = take();
	knob_readahead_order = kind % (PMD_ORDER + 1);
	disk = kind & 0x10 ? sim_block_create(OBJ_PAGES * PAGE_SIZE) : NULL;
	spaces[0].mm = mm_create(false);
	EXPECT(spaces[0].mm);
	map_memory(&spaces[0], (struct range){ 0, nr_pages });
	for (unsigned int i = 0; i < NR_FILES; i++) {
		u64 bytes = (10 + 20 * i) * PAGE_SIZE;
		bool writable = i != 1;

		if (disk && i == NR_FILES - 1) {
			files[i] = new_object(sim_block_file(disk), true, OBJ_PAGES * PAGE_SIZE);
			break;
		}
		files[i] = new_object(sim_file(bytes, writable), writable, bytes);
	}
}

static void end(bool compare)
{
	for (struct space *s = spaces; s < spaces + NR_MMS; s++) {
		if (!s->mm)
			continue;
		if (compare)
			check_contents(s);
		check_layout(s);
		sim_mm_put(s->mm);
	}
	for (struct object *o = objects, *next; o; o = next) {
		next = o->next;
		if (o->file)
			file_put(o->file);
		host_free(o);
	}
	objects = NULL;
	if (disk)
		sim_block_destroy(disk);
	disk = NULL;
	if (swap)
		swap_device_off(swap);
	swap = NULL;
}

/* The next operation runs with the nth allocation at one site failing. */
static void arm_failure(void)
{
	enum fail_site site = (enum fail_site)take_below(NR_FAIL_SITES);
	unsigned long nth = 1 + take_below(8);

	TRACE("fail(site %d, %lu)\n", (int)site, nth);
	slab_shrink();
	pgtable_drain();
	fail_at(site, nth);
	failure_armed = true;
}

static void one_operation(void)
{
	unsigned int op = take();
	struct space *s;

	if (op % 64 == 63) {
		arm_failure();
		op = take();
	}
	s = &spaces[op / 64 % NR_MMS];
	s = s->mm ? s : &spaces[0];
	TRACE("%ld: ", (long)(s - spaces));
	operations[op % 64 % ARRAY_SIZE(operations)](s);
	for (struct space *t = spaces; t < spaces + NR_MMS; t++)
		if (t->mm)
			check_layout(t);
	if (failure_fired()) {
		end(false);
		begin();
	}
	fail_at(FAIL_KMALLOC, 0);
	failure_armed = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool booted;
	struct sim_resources before;

	tracing = getenv("TRACE") != NULL;
	if (!booted)
		sim_boot(16384);
	booted = true;
	before = sim_resources();
	input = data;
	input_end = data + size;
	begin();
	while (input < input_end)
		one_operation();
	end(true);
	EXPECT(!sim_leaks(&before));
	return 0;
}
