/* SPDX-License-Identifier: MIT
 *
 * The fault handler's case of a swap entry: the page comes back.
 *
 * The folio is found in the swap cache, or read in with its neighbours, for which the fault waits without mmap_lock and
 * then starts over. The folio stays locked until the entry maps it, so that it cannot leave the cache, or be given to others, in between. If nobody else has it or its slot, it is mapped
 * writable at once: there is nothing to copy for.
 *
 * Its slot stays with it as long as the page is only read, for then it need not be written a second time. The slot is
 * freed when the page is written to, for what it holds is of no use any more; when slots are scarce; and in a locked
 * vma, for a locked page never goes back there.
 */
#include "fault_ctx.h"
#include "madvise.h"
#include "mapcount.h"
#include "swap_internal.h"

/* Nobody but the entry that is about to be replaced, the cache and the caller has it. Folio locked. */
static bool is_exclusive(const struct folio *folio, swp_entry_t swp)
{
	int refs = 2 + folio_test(folio, PG_writeback);

	return atomic_read(&folio->mapcount) == 0 && atomic_read(&folio->refcount) == refs &&
	       swap_slot_count(swp) == 1;
}

/* What phase 3 is to install. */
static void prepare(struct fault_ctx *f, struct folio *folio, bool exclusive)
{
	/* Whoever still looked at it through an entry is done. */
	if (atomic_read_acquire(&folio->mapcount) == 0) {
		folio_set(folio, PG_anon);
		folio_set_anon(folio, f->vma, f->addr, !exclusive);
	}
	f->new = pte_make(folio_pfn(folio), f->vma->page_prot);
	if (exclusive) {
		f->new |= f->vma->flags &VM_WRITE ? PTE_W : 0;
		f->new |= f->write ? PTE_D : 0;
	}
	f->folio = folio;
	f->locked = folio;
	/* Until it is unlocked, whatever happens to the entry. */
	folio_get(folio);
	f->old_folio = folio;
}

static enum fault_result give_up(struct folio *folio, enum fault_result r)
{
	swap_folio_unlock(folio);
	folio_put(folio);
	return r;
}

enum fault_result swap_get_folio(struct fault_ctx *f)
{
	swp_entry_t swp = pte_to_swp(f->old);
	struct folio *folio;

	if (!pte_has_slot(f->old))
		return pte_is_migration(f->old)
			       ? migration_entry_wait(f)
			       : FAULT_MAPERR; /* a guard: as if nothing was mapped */
	if (fault_anon_vma(f))
		return FAULT_OOM;
	folio = swap_cache_read(swp, &f->io);
	if (IS_ERR(folio))
		return PTR_ERR(folio) == -ENOMEM ? FAULT_OOM : FAULT_RETRY;
	if (!folio_trylock(folio)) {
		f->wait = folio;
		return FAULT_WAIT;
	}
	if (!folio_test(folio, PG_swapcache) || folio->swap != swp)
		return give_up(folio, FAULT_RETRY);
	if (!folio_test(folio, PG_uptodate))
		return give_up(folio, swap_read_failed(folio, &f->io) ? FAULT_BUS : FAULT_RETRY);
	if (f->vma->flags & VM_LOCKED)
		folio_wait_writeback(folio);
	prepare(f, folio, is_exclusive(folio, swp));
	return FAULT_DONE;
}

enum fault_result swap_wait(struct folio *folio)
{
	int err = folio_lock_killable(folio);

	if (!err)
		swap_folio_unlock(folio);
	folio_put(folio);
	return err ? FAULT_KILLED : FAULT_RETRY;
}

static bool slot_is_to_go(const struct fault_ctx *f, swp_entry_t swp)
{
	return pte_dirty(f->new) || (f->vma->flags & VM_LOCKED) || swap_is_scarce() ||
	       RACY_READ(swap_areas[swp_area(swp)].leaving);
}

void swap_replace_entry(struct mm *mm, struct fault_ctx *f)
{
	swp_entry_t swp = pte_to_swp(f->old);

	atomic_dec(&mm->rss[RSS_SWAP]);
	swap_slot_put(swp);
	if (slot_is_to_go(f, swp))
		(void)swap_cache_try_free(f->folio);
}

bool swap_make_alone(struct folio *folio)
{
	bool alone;

	if (!folio_test(folio, PG_swapcache) || !folio_trylock(folio))
		return false;
	alone = folio_test(folio, PG_swapcache) && atomic_read(&folio->refcount) == 2 &&
		swap_cache_try_free(folio);
	folio_unlock(folio);
	return alone && atomic_read(&folio->refcount) == 1;
}

/* Slots of one table's entries at a time: reading starts when its lock is free again. */
#define WILLNEED_BATCH 32

static unsigned int gather_slots(pte_t *pte, unsigned long n, swp_entry_t *slots)
{
	spinlock_t *ptl = pte_lockptr(pte);
	unsigned int nr = 0;

	spin_lock(ptl);
	for (unsigned long i = 0; i < n; i++) {
		pte_t e = pte_read(&pte[i]);

		if (pte_has_slot(e))
			slots[nr++] = pte_to_swp(e);
	}
	spin_unlock(ptl);
	return nr;
}

/* False: there is no memory for it. */
static bool start_reading(const swp_entry_t *slots, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		u8 io = 0;
		struct folio *folio = swap_cache_read(slots[i], &io);

		if (!IS_ERR(folio))
			folio_put(folio);
		else if (PTR_ERR(folio) == -ENOMEM)
			return false;
	}
	return true;
}

void swap_willneed(struct mm *mm, unsigned long start, unsigned long end)
{
	swp_entry_t slots[WILLNEED_BATCH];
	unsigned long stop;
	pte_t *pte;

	mmap_assert_locked(mm);
	while ((pte = pgtable_next(&mm->pgt, &start, end, &stop))) {
		while (start < stop) {
			unsigned long n = min((stop - start) >> PAGE_SHIFT, WILLNEED_BATCH + 0UL);

			if (!start_reading(slots, gather_slots(pte, n, slots)))
				return;
			pte += n;
			start += n << PAGE_SHIFT;
			cond_resched();
		}
	}
}
