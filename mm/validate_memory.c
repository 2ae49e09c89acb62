/* SPDX-License-Identifier: MIT
 *
 * The books of all memory, made up anew from page tables, frames and LRU lists, and compared with what is kept:
 * map counts, mlock counts, counts of swap slots, flags against lists, and the gauges of stats.def.
 *
 * Nothing is stopped meanwhile, so they only agree when nothing else changes memory. Who asks makes sure of that, as far as
 * he can: threads of the kernel may be about to finish something, and an address space that somebody looked at goes when
 * he is done. So a look counts only when all counters and totals were the same before and after it, and no address
 * space was about to end, which is not visited any more although its entries count until they are gone.
 */
#include <arch/setup.h>
#include <arch/timer.h>
#include <kern/printf.h>

#include "lru.h"
#include "mapcount.h"
#include "mlock_count.h"
#include "shmem.h"
#include "swap_internal.h"

#ifdef CONFIG_DEBUG

#define MS 1000000UL
#define SURE_NS                                                                                    \
	(300 * MS) /* what looks that count say for so long holds: a CPU may be between two steps */
#define BUSY_NS (10000 * MS) /* and if none counts for so long, nobody can say */

/* ---- a counter for each of n things ---- */

#define CHUNK_COUNTS (PAGE_SIZE / sizeof(u32))

struct tally {
	u32 **chunks;
	unsigned long n;
};

static unsigned long nr_chunks(unsigned long n)
{
	return (n + CHUNK_COUNTS - 1) / CHUNK_COUNTS;
}

static void tally_end(struct tally *t)
{
	for (unsigned long i = 0; t->chunks && i < nr_chunks(t->n); i++)
		if (t->chunks[i])
			free_pages(virt_to_page(t->chunks[i]), 0);
	kfree(t->chunks);
}

/* False: no memory; tally_end() all the same. */
static bool tally_begin(struct tally *t, unsigned long n)
{
	unsigned long chunks = nr_chunks(n);

	t->n = n;
	t->chunks = kzalloc(chunks * sizeof(*t->chunks), GFP_KERNEL);
	for (unsigned long i = 0; t->chunks && i < chunks; i++) {
		struct page *page = alloc_pages(GFP_KERNEL | __GFP_ZERO | __GFP_NORETRY, 0);

		if (!page)
			return false;
		t->chunks[i] = page_address(page);
	}
	return t->chunks;
}

/* NULL: there is no such thing, or there was none when the tally began. */
static u32 *tally_at(const struct tally *t, unsigned long i)
{
	return i < t->n ? &t->chunks[i / CHUNK_COUNTS][i % CHUNK_COUNTS] : NULL;
}

static u32 tally_read(const struct tally *t, unsigned long i)
{
	const u32 *count = tally_at(t, i);

	return count ? *count : 0;
}

/* ---- the books ---- */

/* What changes when memory does. */
struct moment {
	unsigned long stats[NR_STATS];
	struct mm_totals mms;
};

struct books {
	struct moment before, after;
	struct tally maps, locked;	      /* of each frame */
	struct tally slots[SWAP_MAX_AREAS];   /* entries of both kinds that name a slot */
	unsigned long pages[NR_STATS];	      /* what gauges should say */
	unsigned long on_lists[NR_LRU_LISTS]; /* what the lists have */
	char *what;			      /* the first thing that does not hold */
	size_t size;
};

__printf(2, 3) static void complain(struct books *b, const char *fmt, ...)
{
	va_list args;

	if (b->what[0])
		return;
	va_start(args, fmt);
	vsnprintf(b->what, b->size, fmt, args);
	va_end(args);
}

static void count(struct books *b, struct tally *t, unsigned long i)
{
	u32 *at = tally_at(t, i);

	if (at)
		++*at;
	else
		complain(b, "an entry names frame or slot %lx, which does not exist", i);
}

static void count_slot(void *books, swp_entry_t swp)
{
	struct books *b = books;

	count(b, &b->slots[swp_area(swp)], swp_offset(swp));
}

static void count_entry(struct books *b, pte_t e)
{
	unsigned long pfn;

	if (pte_has_slot(e))
		count_slot(b, pte_to_swp(e));
	if (!pte_present(e) || pte_special(e))
		return;
	pfn = pte_pfn(e);
	count(b, &b->maps, pfn);
	if (pte_mlocked(e))
		count(b, &b->locked, pfn);
}

static void count_mm(struct books *b, struct mm *mm)
{
	struct vma *vma;

	mmap_read_lock(mm);
	for_each_vma(mm, vma) {
		unsigned long va = vma->start, stop;
		pte_t *pte;

		while ((pte = pgtable_next(&mm->pgt, &va, vma->end, &stop))) {
			spinlock_t *ptl = pte_lockptr(pte);

			spin_lock(ptl);
			for (; va < stop; va += PAGE_SIZE, pte++)
				count_entry(b, pte_read(pte));
			spin_unlock(ptl);
			cond_resched();
		}
	}
	mmap_read_unlock(mm);
}

/* ---- frames ---- */

#define BIT_OF(flag) (1UL << (flag))
/* Not a folio of user data. */
#define KERNELS (BIT_OF(PG_reserved) | BIT_OF(PG_buddy) | BIT_OF(PG_slab) | BIT_OF(PG_pgtable))
/* A folio of user data has one of these at least. */
#define USERS                                                                                      \
	(BIT_OF(PG_anon) | BIT_OF(PG_uptodate) | BIT_OF(PG_lru) | BIT_OF(PG_mlocked) |             \
	 BIT_OF(PG_unevictable) | BIT_OF(PG_swapcache))

/* What the entries of all pages of a folio add up to. */
struct folio_books {
	unsigned int maps, locked;	   /* entries */
	unsigned int nr_mapped, nr_locked; /* pages */
};

static struct folio_books add_up(struct books *b, const struct folio *folio)
{
	unsigned long first = folio_pfn(folio),
		      n = folio_is_large(folio) ? folio_nr_pages(folio) : 1;
	struct folio_books sum = { 0 };

	for (unsigned long pfn = first; pfn < first + n; pfn++) {
		unsigned int maps = tally_read(&b->maps, pfn), locked = tally_read(&b->locked, pfn);
		struct page *page = pfn_to_page(pfn);

		if ((int)maps != page_mapcount(page) ||
		    (!mlock_by_rmap() && (int)locked != atomic_read(page_mlocks(page))))
			complain(b,
				 "frame %lx: mapped %u times, %u of them locked; page mapcount %d, "
				 "mlock_count %d, of %lu pages",
				 pfn, maps, locked, page_mapcount(page),
				 atomic_read(page_mlocks(page)), n);
		sum.maps += maps;
		sum.locked += locked;
		sum.nr_mapped += maps > 0;
		sum.nr_locked += locked > 0;
	}
	return sum;
}

static void check_counts(struct books *b, unsigned long pfn, struct folio *folio,
			 const struct folio_books *sum)
{
	unsigned int maps = sum->maps, locked = sum->locked;
	unsigned int mapcount = (unsigned int)atomic_read(&folio->mapcount);
	unsigned int mlock_count = (unsigned int)atomic_read(&folio->mlock_count);
	unsigned int refcount = (unsigned int)atomic_read(&folio->refcount);

	if (mlock_by_rmap()) /* a mark, and 0 where a look at all mappings was not possible */
		locked = mlock_count;
	if (maps != mapcount || locked != mlock_count || maps > refcount)
		complain(b,
			 "frame %lx flags %lx: mapped %u times, %u of them locked; mapcount %u, "
			 "mlock_count %u, refcount %u",
			 pfn, folio->flags, maps, locked, mapcount, mlock_count, refcount);
	if (folio_is_large(folio) &&
	    (large_nr_mapped(folio) != (int)sum->nr_mapped ||
	     atomic_read(&folio_page(folio, 1)->nr_mlocked) != (int)sum->nr_locked))
		complain(b, "frame %lx: %u of its pages are mapped and %u locked, not %d and %d",
			 pfn, sum->nr_mapped, sum->nr_locked, large_nr_mapped(folio),
			 atomic_read(&folio_page(folio, 1)->nr_mlocked));
}

static void check_flags(struct books *b, unsigned long pfn, unsigned long flags, bool locked)
{
	bool lru = flags & BIT_OF(PG_lru), mlocked = flags & BIT_OF(PG_mlocked);
	bool unevictable = flags & BIT_OF(PG_unevictable);

	/* A file may keep a page that nobody has locked, an anonymous page has none. */
	/* What waits in a batch. */
	if (mlock_batched() || mlock_by_rmap())
		return;
	if (mlocked != locked || (unevictable && !lru) || (lru && mlocked && !unevictable) ||
	    (unevictable && !mlocked && (flags & BIT_OF(PG_anon))))
		complain(b, "frame %lx: flags %lx, and it is %slocked", pfn, flags,
			 locked ? "" : "not ");
}

static void add_to_gauges(struct books *b, unsigned long flags, const struct folio_books *sum,
			  unsigned long n)
{
	bool active = flags & BIT_OF(PG_active);

	if (flags & BIT_OF(PG_unevictable))
		b->pages[NR_UNEVICTABLE] += n;
	else if (flags & BIT_OF(PG_lru) && flags & BIT_OF(PG_swapbacked))
		b->pages[active ? NR_ACTIVE_ANON : NR_INACTIVE_ANON] += n;
	else if (flags & BIT_OF(PG_lru))
		b->pages[active ? NR_ACTIVE_FILE : NR_INACTIVE_FILE] += n;
	b->pages[NR_MLOCK] += sum->nr_locked;
	if (flags & BIT_OF(PG_writeback))
		b->pages[NR_WRITEBACK] += n;
	b->pages[flags & BIT_OF(PG_anon) ? NR_ANON_PAGES : NR_FILE_MAPPED] += sum->nr_mapped;
}

/*
 * Of both caches: the page cache and the swap cache. What a folio's mapping is can be asked of its flags: it may go meanwhile,
 * and the frame be something else.
 */
static void add_to_cached(struct books *b, const struct folio *folio, unsigned long flags,
			  unsigned long n)
{
	bool shmem = flags & BIT_OF(PG_swapbacked);

	if (flags & BIT_OF(PG_swapcache)) {
		b->pages[NR_SWAPCACHED] += n;
		b->pages[NR_FILE_PAGES] += n;
	}
	if (flags & BIT_OF(PG_anon) || !READ_ONCE(folio->mapping))
		return;
	b->pages[NR_FILE_PAGES] += n;
	if (shmem)
		b->pages[NR_SHMEM] += n;
	else if (flags & BIT_OF(PG_dirty))
		b->pages[NR_FILE_DIRTY] += n;
	if (n == PTRS_PER_TABLE)
		b->pages[shmem ? NR_SHMEM_THPS : NR_FILE_THPS]++;
}

static void check_frames(struct books *b)
{
	for (unsigned long pfn = 0; pfn < b->maps.n; pfn++) {
		struct folio *folio = (struct folio *)pfn_to_page(pfn);
		bool mapped = tally_read(&b->maps, pfn);
		struct folio_books sum;
		unsigned long flags;

		if (!arch_pfn_valid(pfn))
			continue;
		flags = READ_ONCE(folio->flags);
		if (flags & BIT_OF(PG_tail) || (!mapped && (flags & KERNELS || !(flags & USERS))))
			continue;
		sum = add_up(b, folio);
		check_counts(b, pfn, folio, &sum);
		check_flags(b, pfn, flags, folio_is_mlocked(folio));
		add_to_gauges(b, flags, &sum, folio_nr_pages(folio));
		add_to_cached(b, folio, flags, folio_nr_pages(folio));
		if (pfn % CHUNK_COUNTS == 0)
			cond_resched();
	}
}

/* ---- swap ---- */

static void check_slot(struct books *b, swp_entry_t swp, const struct swap_slot *slot)
{
	u32 named = tally_read(&b->slots[swp_area(swp)], swp_offset(swp));
	const struct folio *folio = slot->pfn ? pfn_folio(slot->pfn) : NULL;

	if (slot->count != (slot->count == SLOT_BAD && !named ? SLOT_BAD : named))
		complain(b, "swap slot %lx: named by %u entries, count %u", (unsigned long)swp,
			 named, slot->count);
	if (folio && (!folio_test(folio, PG_swapcache) || folio->swap != swp))
		complain(b, "swap slot %lx: frame %x does not have it", (unsigned long)swp,
			 slot->pfn);
}

/* *from: where to go on. False: that was all. */
static bool check_chunk(struct books *b, unsigned int nr, unsigned long *from)
{
	struct swap_area *area = &swap_areas[nr];
	bool more;

	spin_lock(&area->lock);
	more = area->chunks && *from < area->nr_slots;
	if (more) {
		const struct swap_chunk *chunk = &area->chunks[*from / CHUNK_SLOTS];

		for (unsigned int i = 0; i < CHUNK_SLOTS; i++)
			check_slot(b, swp_entry(nr, *from + i), &chunk->slots[i]);
		*from += CHUNK_SLOTS;
	}
	spin_unlock(&area->lock);
	return more;
}

static void check_slots(struct books *b)
{
	for (unsigned int nr = 0; nr < SWAP_MAX_AREAS; nr++)
		for (unsigned long from = 0; check_chunk(b, nr, &from);)
			cond_resched();
}

/* ---- gauges ---- */

static void check_gauges(struct books *b)
{
	static const enum stat_item gauges[] = {
		NR_ANON_PAGES,	NR_FILE_MAPPED, NR_INACTIVE_ANON, NR_ACTIVE_ANON, NR_INACTIVE_FILE,
		NR_ACTIVE_FILE, NR_UNEVICTABLE, NR_MLOCK,	  NR_WRITEBACK,	  NR_SWAPCACHED,
		NR_FILE_PAGES,	NR_SHMEM,	NR_FILE_DIRTY,	  NR_SHMEM_THPS,  NR_FILE_THPS,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(gauges); i++)
		if (stat_read(gauges[i]) != b->pages[gauges[i]])
			complain(b, "%s is %lu, and %lu pages are", stat_name(gauges[i]),
				 stat_read(gauges[i]), b->pages[gauges[i]]);
	for (unsigned int i = 0; i < NR_LRU_LISTS; i++)
		if (b->on_lists[i] != b->pages[NR_INACTIVE_ANON + i])
			complain(b, "%lu pages are on the list of %s, and %lu say so",
				 b->on_lists[i], stat_name(NR_INACTIVE_ANON + i),
				 b->pages[NR_INACTIVE_ANON + i]);
}

/* ---- all of it ---- */

static bool begin_books(struct books *b)
{
	if (!tally_begin(&b->maps, max_pfn()) || !tally_begin(&b->locked, max_pfn()))
		return false;
	for (unsigned int i = 0; i < SWAP_MAX_AREAS; i++) {
		unsigned long n = READ_ONCE(swap_areas[i].nr_slots);

		if (swap_areas[i].chunks && !tally_begin(&b->slots[i], n))
			return false;
	}
	return true;
}

static void end_books(struct books *b)
{
	tally_end(&b->maps);
	tally_end(&b->locked);
	for (unsigned int i = 0; i < SWAP_MAX_AREAS; i++)
		tally_end(&b->slots[i]);
	kfree(b);
}

static void take_moment(struct moment *m)
{
	for (unsigned int i = 0; i < NR_STATS; i++)
		m->stats[i] = stat_read(i);
	mm_add_up(&m->mms);
}

static bool was_quiet(const struct books *b)
{
	return !b->after.mms.ending && !memcmp(&b->before, &b->after, sizeof(b->before));
}

static void compare_books(struct books *b)
{
	struct mm *mm = NULL;

	take_moment(&b->before);
	while ((mm = mm_next(mm)))
		count_mm(b, mm);
	shmem_for_each_slot(count_slot, b);
	check_frames(b);
	check_slots(b);
	lru_validate(b->on_lists);
	check_gauges(b);
	take_moment(&b->after);
}

/* One look at everything. 0; -EINVAL; -EAGAIN: they do not agree, and something changed meanwhile; -ENOMEM. */
static int look(char *what, size_t size)
{
	struct books *b = kzalloc(sizeof(*b), GFP_KERNEL);
	int err = -ENOMEM;

	if (!b)
		return err;
	b->what = what;
	b->size = size;
	what[0] = 0;
	if (begin_books(b)) {
		compare_books(b);
		err = !what[0] ? 0 : was_quiet(b) ? -EINVAL : -EAGAIN;
	}
	end_books(b);
	return err;
}

int memory_validate(char *what, size_t size)
{
	u64 start = clock_ns(), now = start, quiet_since = start;
	int err;

	swap_validate();
	for (;;) {
		err = look(what, size);
		if (err != -EINVAL && err != -EAGAIN)
			return err;
		now = clock_ns();
		if (err == -EAGAIN)
			quiet_since = now;
		if (now - quiet_since >= SURE_NS)
			return -EINVAL;
		if (now - start >= BUSY_NS)
			return -EBUSY;
		cond_resched();
	}
}

#endif
