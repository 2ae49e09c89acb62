/* SPDX-License-Identifier: MIT
 *
 * The caller, and its files: what kernel/sys_mm.c and fs/ answer on the machine.
 */
#include "sim.h"
#include "sim_host.h"
#include <mm/writeback.h>

struct sim_caller sim_caller = SIM_CALLER_INIT;

unsigned long caller_rlimit(enum caller_limit which)
{
	return sim_caller.rlimit[which];
}

unsigned long caller_hard_data_limit(void)
{
	return sim_caller.hard_data_limit;
}

bool caller_has_ipc_lock(void)
{
	return sim_caller.ipc_lock;
}

bool caller_has_rawio(void)
{
	return sim_caller.rawio;
}

bool caller_has_sys_admin(void)
{
	return sim_caller.sys_admin;
}

u64 caller_random(void)
{
	static u64 state = 1;

	/* Knuth's multiplier; every run sees the same numbers. */
	state = state * 6364136223846793005UL + 1442695040888963407UL;
	return state ^ (state >> 29);
}

void caller_count_minor_faults(unsigned long n)
{
	__atomic_add_fetch(&sim_caller.faults, n, __ATOMIC_RELAXED);
}

void caller_count_major_faults(unsigned long n)
{
	caller_count_minor_faults(n);
	__atomic_add_fetch(&sim_caller.major_faults, n, __ATOMIC_RELAXED);
}

/* ---- files ---- */

struct file {
	refcount_t refs;
	bool mappable, readable, writable, device;
	bool fail; /* reading from the device fails */
	struct file_ra ra;
	u32 write_error;
	struct mapping mapping;
};

static void read_one(struct mapping *m, struct folio *folio)
{
	struct file *f = container_of(m, struct file, mapping);

	if (sim_caller.while_reading)
		sim_caller.while_reading();
	/* A page's bytes are its number from 1, and zero beyond the end of the file. */
	for (unsigned long i = 0; i < PAGE_SIZE && !f->fail; i++)
		((u8 *)folio_address(folio))[i] =
			folio->index * PAGE_SIZE + i < m->size ? (u8)(folio->index + 1) : 0;
	filemap_end_read(folio, f->fail ? -EIO : 0);
}

static void read_from_disk(struct mapping *m, struct folio **folios, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		read_one(m, folios[i]);
}

static const struct mapping_ops disk_ops = { .read = read_from_disk };

static struct file *new_file(u64 size, bool writable, const struct mapping_ops *ops)
{
	struct file *f = kzalloc(sizeof(*f), GFP_KERNEL);

	if (!f)
		return NULL;
	refcount_set(&f->refs, 1);
	f->mappable = true;
	f->readable = true;
	f->writable = writable;
	mapping_init(&f->mapping, ops ? 0 : MAPPING_SHMEM, ops, NULL);
	f->mapping.huge = ops ? NULL : &knob_thp_shmem;
	f->mapping.size = size;
	return f;
}

struct file *sim_file(u64 size, bool writable)
{
	return new_file(size, writable, NULL);
}

struct file *sim_disk_file(u64 size, bool writable, bool fail)
{
	struct file *f = new_file(size, writable, &disk_ops);

	if (f)
		f->fail = fail;
	return f;
}

struct file *sim_block_file(struct block_device *dev)
{
	struct file *f = new_file(0, true, NULL);

	if (f)
		block_mapping_init(&f->mapping, dev, NULL);
	return f;
}

struct file_ra *file_readahead_state(struct file *f)
{
	return &f->ra;
}

struct file *sim_pipe(void)
{
	struct file *f = new_file(0, true, NULL);

	if (f)
		f->mappable = false;
	return f;
}

struct file *sim_dev_zero(void)
{
	struct file *f = new_file(0, true, NULL);

	if (f)
		f->device = true;
	return f;
}

struct mapping *sim_file_mapping(struct file *f)
{
	return &f->mapping;
}

void file_get(struct file *f)
{
	refcount_inc(&f->refs);
}

void file_put(struct file *f)
{
	if (!refcount_dec_and_test(&f->refs))
		return;
	mapping_destroy(&f->mapping);
	kfree(f);
}

int file_mmap_info(struct file *f, struct file_mmap *out)
{
	out->readable = f->readable;
	out->writable = f->writable;
	out->noexec = false;
	out->mapping = f->device ? NULL : &f->mapping;
	return f->mappable ? 0 : -ENODEV;
}

struct file *shmem_file_setup(const char *name, u64 size)
{
	struct file *f = sim_file(size, true);

	(void)name;
	return f ? f : ERR_PTR(-ENOMEM);
}

int file_sync_range(struct file *f, u64 start, u64 end)
{
	return filemap_sync(&f->mapping, start, end, &f->write_error);
}

int file_punch_hole(struct file *f, u64 offset, u64 len)
{
	filemap_punch_hole(&f->mapping, offset, offset + len);
	return 0;
}

bool *caller_reclaiming(void)
{
	static __thread bool reclaiming;

	return &reclaiming;
}

bool caller_out_of_memory(void)
{
	return false;
}
