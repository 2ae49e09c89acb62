/* SPDX-License-Identifier: MIT
 *
 * The oracle of the fuzzer of memory operations: what each page is, and whether the address space says the same.
 */
#include "oracle.h"
#include "../../../../mm/vma.h"

bool failure_armed;
struct space spaces[NR_MMS];
struct block_device *disk;
struct object *files[NR_FILES];
struct object *objects;
unsigned long scale;
unsigned long nr_pages;
struct block_device *swap;
bool tracing;
const unsigned int sample_at[SAMPLES] = { 0, 1000, 2048, 4095 };

bool failure_fired(void)
{
	return failure_armed && !fail_armed;
}

/* ---- the input ---- */

const u8 *input, *input_end;

unsigned int take(void)
{
	return input < input_end ? *input++ : 0;
}

unsigned int take_below(unsigned int n)
{
	return take() % n;
}

unsigned long va_of(unsigned long page)
{
	return 0x40000000UL - (40 * scale - page) * PAGE_SIZE;
}

/* In a large window mostly near the boundaries of units, so that what fits together comes together. */
unsigned long take_page(void)
{
	unsigned long page = take_below(UNITS) * scale;

	return scale == 1 ? page : page + (take() % 4 ? 0 : take_below((unsigned int)scale));
}

unsigned long take_length(unsigned int least, unsigned int most)
{
	unsigned long n = least + take_below(most + 1 - least);

	return scale == 1 || take() % 4 == 0 ? n : n * scale;
}

struct range take_range(void)
{
	struct range r;

	r.first = take_page();
	r.n = take_length(1, 24);
	r.n = min(r.n, nr_pages - r.first);
	return r;
}

/* ---- the oracle ---- */

struct object *new_object(struct file *file, bool writable, u64 size)
{
	struct object *o = host_alloc(sizeof(*o));

	o->file = file;
	o->writable = writable;
	o->size = size;
	o->next = objects;
	objects = o;
	return o;
}

bool beyond_end(const struct opage *p)
{
	return p->obj && !p->own && (u64)p->index * PAGE_SIZE >= p->obj->size;
}

u8 *bytes_of(struct opage *p)
{
	static u8 zero[SAMPLES];

	if (p->own)
		return p->bytes;
	if (p->obj)
		return p->obj->bytes[p->index];
	memset(zero, 0, sizeof(zero));
	return zero;
}

enum fault_result expected(const struct opage *p, enum fault_access access)
{
	if (!p->mapped)
		return FAULT_MAPERR;
	if (p->prot == PROT_NONE || (access == FAULT_WRITE && !(p->prot & PROT_WRITE)))
		return FAULT_ACCERR;
	if (beyond_end(p))
		return FAULT_BUS;
	if (access == FAULT_EXEC && !(p->prot & PROT_EXEC))
		return FAULT_ACCERR;
	return FAULT_DONE;
}

void own_page(struct opage *p)
{
	if (p->shared || p->own)
		return;
	memcpy(p->bytes, bytes_of(p), SAMPLES);
	p->own = true;
}

struct object *take_cuttable(void)
{
	return files[take_below(disk ? NR_FILES - 1 : NR_FILES)];
}

void punch(struct object *o, unsigned long index, unsigned long n)
{
	if (index + n <= OBJ_PAGES)
		memset(o->bytes[index], 0, n * SAMPLES);
}

/* ---- checks ---- */

void check_layout(struct space *s)
{
	struct mm *mm = s->mm;

	mmap_read_lock(mm);
	mm_validate(mm);
	for (unsigned long i = 0; i < nr_pages && !failure_fired(); i++) {
		struct vma *vma = vma_lookup(mm, va_of(i));
		const struct opage *p = &s->page[i];

		EXPECT(!!vma == p->mapped);
		if (!vma)
			continue;
		EXPECT((vma->flags & VM_ACCESS) == p->prot);
		EXPECT(!!(vma->flags & VM_MAYSHARE) == p->shared);
		EXPECT(!!(vma->flags & VM_MAYWRITE) == p->may_write);
		EXPECT(!!(vma->flags & VM_DONTCOPY) == p->dontfork);
		EXPECT(!!(vma->flags & VM_WIPEONFORK) == p->wipe);
		EXPECT(!!(vma->flags & VM_LOCKED) == p->locked);
		EXPECT(!!vma->mapping == !!p->obj);
		if (p->obj) {
			EXPECT(vma_index(vma, va_of(i)) == p->index);
			EXPECT(!p->obj->file || vma->file == p->obj->file);
		}
	}
	EXPECT(!vma_first(mm) || vma_first(mm)->start >= va_of(0));
	EXPECT(!vma_find(mm, va_of(nr_pages)));
	mmap_read_unlock(mm);
	sim_tlb_check(mm);
}

void check_page(struct space *s, unsigned long i)
{
	struct opage *p = &s->page[i];
	u8 bytes[SAMPLES];

	if (p->mapped)
		TRACE("check page %lu, pte %lx\n", i, sim_pte(s->mm, va_of(i)));
	for (unsigned int k = 0; k < SAMPLES; k++) {
		enum fault_result r = sim_read(s->mm, va_of(i) + sample_at[k], &bytes[k], 1);

		EXPECT(r == expected(p, FAULT_READ));
		if (r != FAULT_DONE)
			return;
	}
	EXPECT(memcmp(bytes, bytes_of(p), SAMPLES) == 0);
}

void check_contents(struct space *s)
{
	for (unsigned long i = 0; i < nr_pages; i++)
		check_page(s, i);
}
