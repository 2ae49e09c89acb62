/* SPDX-License-Identifier: MIT
 *
 * The life of an address space: new, and gone. fork is in mm_fork.c.
 */
#include <mm/swap.h>

#include "collapse.h"
#include "folio.h"
#include "huge_zero.h"
#include "large.h"
#include "lru.h"
#include "populate.h"
#include "unmap.h"
#include "vma.h"
#include "writeback.h"

static struct kmem_cache *mm_cache;

/* New ones at the end. */
static struct {
	spinlock_t lock;
	struct list_head mms;
} all = { SPINLOCK_INIT, LIST_HEAD_INIT(all.mms) };

/* Linux's mmap layout: a gap for the stack below the top, at least 128 MiB, at most five sixths. */
#define MIN_STACK_ROOM (128UL << 20)
#define MAX_STACK_ROOM (TASK_SIZE / 6 * 5)
#define STACK_RANDOM_ROOM (16UL << 30) /* how far exec moves the stack's top at most */
#define MMAP_RANDOM_BITS 28	       /* pages */

void mm_init(void)
{
	struct page *zero = alloc_pages(GFP_KERNEL | __GFP_ZERO, 0);

	if (!zero)
		panic("no memory for the zero page");
	zero->flags = 1UL << PG_reserved;
	zero_page_frame = zero;
	mm_cache = kmem_cache_create("mm_struct", sizeof(struct mm), __alignof__(struct mm));
	vma_cache_init();
	anon_vma_init();
	vma_index_init();
	lru_init();
	split_init();
	swap_init();
	folio_wait_init();
	writeback_init();
}

static unsigned long choose_mmap_base(bool aslr)
{
	unsigned long guard = knob_stack_guard_gap << PAGE_SHIFT;
	unsigned long room = caller_rlimit(LIMIT_STACK), random = 0;

	if (room == ~0UL || room > MAX_STACK_ROOM)
		room = MAX_STACK_ROOM;
	if (room + guard + STACK_RANDOM_ROOM > room)
		room += guard + (aslr ? STACK_RANDOM_ROOM : 0);
	room = min(max(room, MIN_STACK_ROOM), MAX_STACK_ROOM);
	if (aslr)
		random = (caller_random() & ((1UL << MMAP_RANDOM_BITS) - 1)) << PAGE_SHIFT;
	return PAGE_ALIGN(TASK_SIZE - room - random);
}

struct mm *mm_alloc(void)
{
	struct mm *mm = kmem_cache_alloc(mm_cache, GFP_KERNEL | __GFP_ZERO);

	if (!mm)
		return NULL;
	if (!vma_index_create(mm)) {
		kmem_cache_free(mm_cache, mm);
		return NULL;
	}
	if (pgtable_init(&mm->pgt)) {
		vma_index_destroy(mm);
		kmem_cache_free(mm_cache, mm);
		return NULL;
	}
	tlb_context_init(&mm->tlb, virt_to_phys(mm->pgt.root));
	rwsem_init(&mm->mmap_lock);
	spin_lock_init(&mm->anon_lock);
	spin_lock_init(&mm->vma_wait_lock);
	mm->write_seq = 1;
	atomic_set(&mm->users, 1);
	atomic_set(&mm->holders, 1);
	spin_lock(&all.lock);
	list_add_tail(&mm->node, &all.mms);
	spin_unlock(&all.lock);
	return mm;
}

static bool try_get(struct mm *mm)
{
	int users = atomic_read(&mm->users);

	while (users > 0) {
		int seen = atomic_cmpxchg(&mm->users, users, users + 1);

		if (seen == users)
			return true;
		users = seen;
	}
	return false;
}

struct mm *mm_next(struct mm *mm)
{
	struct mm *next = NULL;
	struct list_head *node;

	spin_lock(&all.lock);
	for (node = mm ? mm->node.next : all.mms.next; node != &all.mms; node = node->next) {
		if (!try_get(list_entry(node, struct mm, node)))
			continue;
		next = list_entry(node, struct mm, node);
		break;
	}
	spin_unlock(&all.lock);
	if (mm)
		mm_put(mm);
	return next;
}

#ifdef CONFIG_DEBUG
void mm_add_up(struct mm_totals *t)
{
	*t = (struct mm_totals){ .mms = 0 };
	spin_lock(&all.lock);
	for (const struct list_head *node = all.mms.next; node != &all.mms; node = node->next) {
		const struct mm *mm = list_entry(node, struct mm, node);

		t->mms++;
		t->ending += atomic_read(&mm->users) == 0;
		for (unsigned int i = 0; i < NR_RSS; i++)
			t->rss[i] += atomic_read(&mm->rss[i]);
	}
	spin_unlock(&all.lock);
}
#endif

void mm_free_spares(void)
{
	for (struct mm *mm = mm_next(NULL); mm; mm = mm_next(mm))
		vma_free_spares(mm);
}

struct mm *mm_create(bool aslr)
{
	struct mm *mm = mm_alloc();

	if (mm)
		mm->mmap_base = choose_mmap_base(aslr);
	return mm;
}

/* Everything goes: one batch for all vmas, then their tables, which the reverse map no longer leads to. */
static void unmap_all(struct mm *mm)
{
	struct unmap_batch b;
	struct vma *vma;

	unmap_batch_init(&b, mm);
	for_each_vma(mm, vma) {
		vma_unlink_mapping(vma);
		unmap_vma_range(&b, vma, vma->start, vma->end);
		anon_vma_unlink(vma);
	}
	unmap_free_vma_tables(&b, vma_first(mm), 0, TABLES_CEILING);
	unmap_batch_finish(&b);
}

static void free_vmas(struct mm *mm)
{
	struct vma *vma = vma_first(mm);

	vma_index_destroy(mm);
	vma_free_spares(mm);
	while (vma) {
		struct vma *next = vma_next(vma);

		if (vma->flags & VM_ACCOUNT)
			vm_commit_uncharge(vma_pages(vma));
		vma_free_at_exit(vma);
		vma = next;
	}
}

void mm_put(struct mm *mm)
{
	if (!atomic_dec_and_test(&mm->users))
		return;
	khugepaged_exit(mm);
	mmap_write_lock(mm);
	if (unlikely(knob_munlock == MUNLOCK_GUP))
		munlock_by_gup(mm, 0, TASK_SIZE);
	tlb_context_release(&mm->tlb);
	unmap_all(mm);
	huge_zero_exit(mm);
	free_vmas(mm);
	WRITE_ONCE(mm->oom_reaped, true);
	mmap_write_unlock(mm);
	spin_lock(&all.lock);
	list_del(&mm->node);
	spin_unlock(&all.lock);
	for (unsigned int i = 0; i < NR_RSS; i++)
		BUG_ON(atomic_read(&mm->rss[i]) != 0);
	/* Reclaim that took a page here is about to flush, and then done with it. */
	while (__atomic_load_n(&mm->unflushed.v, __ATOMIC_ACQUIRE))
		cond_resched();
	pgtable_destroy(&mm->pgt);
	if (mm->exe_file)
		file_put(mm->exe_file);
	mm_drop(mm);
}

void mm_drop(struct mm *mm)
{
	if (atomic_dec_and_test(&mm->holders))
		kmem_cache_free(mm_cache, mm);
}
