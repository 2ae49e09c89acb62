/* SPDX-License-Identifier: MIT
 *
 * validate_mm() in an address space that is too large to be checked as a whole after each change: what is wrong beside a
 * change is found by it, and what is wrong elsewhere a few changes later.
 */
#include "../../../mm/vma.h"
#include "t.h"

#define BASE 0x10000000UL
#define AREAS 600 /* of two pages, with two free pages behind each; the first page is used */
#define AREA(i) (BASE + (i)*4 * PG)
#define BROKEN 300 /* the area that something is wrong with */
/* Changes until the whole space had its turn. */
#define TURNS (2 * AREAS / 32 + 2)

static struct mm *mm;

static pte_t *entry(unsigned long va)
{
	return pgtable_find(&mm->pgt, va);
}

static struct vma *broken(void)
{
	struct vma *vma;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, AREA(BROKEN));
	mmap_read_unlock(mm);
	return vma;
}

static void forget_neighbour(void)
{
	broken()->next->prev = NULL;
}

static void move_end(void)
{
	broken()->end -= PG;
}

static void forbid_nothing(void)
{
	broken()->page_prot |= PTE_W;
	broken()->flags &= ~VM_WRITE;
}

static void lock_entry(void)
{
	*entry(AREA(BROKEN)) |= PTE_MLOCKED;
}

static void map_in_a_gap(void)
{
	*entry(AREA(BROKEN) + 2 * PG) = *entry(AREA(BROKEN));
}

static void forget_mapping(void)
{
	atomic_set(&pfn_folio(pte_pfn(*entry(AREA(BROKEN))))->mapcount, 0);
}

static void (*const mistakes[])(void) = { forget_neighbour, move_end,	  forbid_nothing,
					  lock_entry,	    map_in_a_gap, forget_mapping };
static void (*mistake)(void);

static void change(unsigned int area)
{
	t_map(mm, AREA(area) + 2 * PG, 1, PROT_READ);
	assert_int_equal(mm_munmap(mm, AREA(area) + 2 * PG, PG), 0);
}

static void change_beside(void)
{
	mistake();
	t_map(mm, AREA(BROKEN + 1) + 2 * PG, 1, PROT_READ);
}

static void change_elsewhere(void)
{
	mistake();
	for (unsigned int i = 0; i < TURNS; i++)
		change(i);
}

static void fill(struct mm *it)
{
	mm = it;
	for (unsigned int i = 0; i < AREAS; i++) {
		t_map(mm, AREA(i), 2, RW);
		sim_poke(mm, AREA(i), 1);
	}
}

static void test_beside(void **state)
{
	fill(*state);
	/* Once more after another change: it is not the turn of the whole space each time. */
	for (unsigned int i = 0; i < 2; i++) {
		for (unsigned int k = 0; k < ARRAY_SIZE(mistakes); k++) {
			mistake = mistakes[k];
			t_must_die(change_beside);
		}
		t_map(mm, AREA(AREAS), 1, RW);
	}
}

static void test_elsewhere(void **state)
{
	fill(*state);
	for (unsigned int k = 0; k < ARRAY_SIZE(mistakes); k++) {
		mistake = mistakes[k];
		t_must_die(change_elsewhere);
	}
}

/* Nothing is wrong, and nothing is said. */
static void test_right(void **state)
{
	fill(*state);
	for (unsigned int i = 0; i < AREAS; i++)
		change(i);
	t_validate(mm);
}

int main(void)
{
	static const struct CMUnitTest list[] = { T_MM(test_beside), T_MM(test_elsewhere),
						  T_MM(test_right) };

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(list, NULL, NULL);
}
