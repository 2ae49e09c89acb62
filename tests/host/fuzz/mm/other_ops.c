/* SPDX-License-Identifier: MIT
 *
 * Fuzzed operations beside the program: on its files, and what the kernel does with its pages at any time.
 */
#include "oracle.h"
#include "../../../../mm/alloc.h"
#include "../../../../mm/collapse.h"
#include "../../../../mm/large.h"
#include "../../../../mm/lru.h"
#include "../../../../mm/reclaim.h"
#include "../../unit/migrate_now.h"

#include <mm/kcompactd.h>
#include <mm/writeback.h>

/* ---- files ---- */

void op_truncate(struct space *s)
{
	struct object *o = take_cuttable();
	u64 size = take_below(OBJ_PAGES) * PAGE_SIZE;
	unsigned int k = take_below(SAMPLES + 1);

	(void)s;
	size += k < SAMPLES ? sample_at[k] : 0;
	TRACE("truncate(file of %lx bytes, %lx)\n", (long)o->size, (long)size);
	filemap_truncate(sim_file_mapping(o->file), size);
	for (unsigned long i = 0; i < OBJ_PAGES; i++)
		for (k = 0; k < SAMPLES; k++)
			if (i * PAGE_SIZE + sample_at[k] >= size && size < o->size)
				o->bytes[i][k] = 0;
	for (struct space *t = spaces; t < spaces + NR_MMS; t++)
		for (unsigned long i = 0; i < nr_pages && size < o->size; i++)
			if (t->page[i].obj == o && t->page[i].index * PAGE_SIZE >= size)
				t->page[i].own = false;
	o->size = size;
}

void op_punch(struct space *s)
{
	struct object *o = take_cuttable();
	unsigned long first = take_below(OBJ_PAGES - 16), n = 1 + take_below(16);

	(void)s;
	TRACE("punch(file of %lx bytes, %lu +%lu)\n", (long)o->size, first, n);
	filemap_punch_hole(sim_file_mapping(o->file), first * PAGE_SIZE, (first + n) * PAGE_SIZE);
	punch(o, first, n);
}

/* write() to a file, as fs/ does it. */
void op_file_write(struct space *s)
{
	struct object *o = files[take_below(NR_FILES)];
	unsigned long index = take_below(OBJ_PAGES);
	unsigned int k = take_below(SAMPLES);
	u8 value = (u8)take();
	struct folio *folio;

	(void)s;
	if (index * PAGE_SIZE + sample_at[k] >= o->size)
		return;
	TRACE("file_write(file of %lx bytes, page %lu, sample %u, %x)\n", (long)o->size, index, k,
	      value);
	folio = filemap_new_large(sim_file_mapping(o->file), index, o->size);
	if (!folio)
		folio = filemap_grab_folio(sim_file_mapping(o->file), index);
	if (IS_ERR(folio)) {
		EXPECT(PTR_ERR(folio) == 0);
		return;
	}
	*folio_byte(folio, index * PAGE_SIZE + sample_at[k]) = (char)value;
	folio_mark_dirty_lock(folio);
	folio_put(folio);
	o->bytes[index][k] = value;
}

/* All that was written to the last file is on its disk. */
static void check_disk(void)
{
	const struct object *o = files[NR_FILES - 1];

	EXPECT(!filemap_sync(sim_file_mapping(o->file), 0, o->size, NULL));
	for (unsigned long i = 0; i < o->size / PAGE_SIZE; i++)
		for (unsigned int k = 0; k < SAMPLES; k++)
			EXPECT(((u8 *)sim_block_data(disk))[i * PAGE_SIZE + sample_at[k]] ==
			       o->bytes[i][k]);
}

/* Its pages are read ahead, written back and dropped, a range of them or all. */
void op_disk(struct space *s)
{
	unsigned int what = take(), first = take_below(OBJ_PAGES), n = 1 + take_below(32);
	struct mapping *m = disk ? sim_file_mapping(files[NR_FILES - 1]->file) : NULL;

	(void)s;
	TRACE("disk(%u, %u +%u)\n", what % 4, first, n);
	if (!m)
		return;
	if (what % 4 == 0)
		filemap_willneed(m, first, n);
	else if (what % 4 == 1)
		(void)filemap_writeback(m, first, first + n - 1, what & 4);
	else if (what % 4 == 2)
		(void)filemap_drop_clean(m, first, first + n - 1);
	else
		check_disk();
}

/* ---- the kernel ---- */

/* Some pages of one list are taken, as when memory is short. */
void op_reclaim(struct space *s)
{
	LIST_HEAD(folios);
	enum lru_list list = (enum lru_list)(take() % (LRU_ACTIVE_FILE + 1));
	unsigned int nr = 1 + take_below(LRU_BATCH);

	(void)s;
	TRACE("reclaim(list %d, %u)\n", (int)list, nr);
	if ((swap || (disk && list >= LRU_INACTIVE_FILE)) && lru_isolate(list, nr, &folios))
		(void)reclaim_folios(&folios);
}

void op_split_deferred(struct space *s)
{
	unsigned int max = 1 + take_below(8);

	(void)s;
	TRACE("split_deferred(%u)\n", max);
	(void)split_deferred(max);
}

/* The page moves to another frame, and all others of its folio. */
void op_migrate(struct space *s)
{
	pte_t e = sim_pte(s->mm, va_of(take_page()));

	if (pte_present(e) && !pte_special(e))
		(void)migrate_now(pfn_folio(pte_pfn(e)), MIGRATE_ASYNC);
}

void op_compact(struct space *s)
{
	(void)s;
	knob_compaction_proactiveness = take_below(101);
	TRACE("compact(%lu)\n", knob_compaction_proactiveness);
	if (!knob_compaction_proactiveness) {
		compact_memory();
		return;
	}
	kcompactd_ask(1 + take_below(MAX_ORDER));
	kcompactd_serve();
	kcompactd_look();
}

static struct collapse_limits take_limits(void)
{
	struct collapse_limits limits = { .gfp = GFP_KERNEL };

	limits.none = take() * 2;
	limits.swapped = take() * 2;
	limits.shared = take() * 2;
	limits.lazy = take() & 1;
	return limits;
}

/* 2 MiB around a page, or all that is whole in a range, become one folio; or nothing happens. */
void op_collapse(struct space *s)
{
	const struct collapse_limits limits = take_limits();
	struct range r = take_range();
	bool advice = take() & 1;
	int err = advice ? mm_madvise(s->mm, va_of(r.first), r.n * PAGE_SIZE, MADV_COLLAPSE)
			 : mm_collapse(s->mm, ALIGN_DOWN(va_of(r.first), PMD_SIZE), &limits);

	TRACE("%s(%lu +%lu) = %d\n", advice ? "collapse_advice" : "collapse", r.first, r.n, err);
	EXPECT(err == 0 || err == -EINVAL || err == -EAGAIN ||
	       err == (advice ? -ENOMEM : COLLAPSE_NOTHING_TO_DO));
}

void op_khugepaged(struct space *s)
{
	(void)s;
	khugepaged_settings.pages_to_scan = 1 + take_below(16) * PTRS_PER_TABLE;
	khugepaged_settings.max_ptes_none = take() * 2;
	khugepaged_settings.max_ptes_swap = take() * 2;
	khugepaged_settings.max_ptes_shared = take() * 2;
	TRACE("khugepaged(%lu)\n", khugepaged_settings.pages_to_scan);
	(void)khugepaged_scan();
}

void op_shrink_zeroes(struct space *s)
{
	(void)s;
	TRACE("huge_zero_shrink\n");
	(void)huge_zero_shrink();
}
