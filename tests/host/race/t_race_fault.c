/* SPDX-License-Identifier: MIT
 *
 * Threads in one address space, each a simulated CPU: page faults against whatever changes the address space.
 *
 * Half of the accesses go through the simulated MMU and its TLB and look at what they read; the others call the
 * fault handler as the CPU would. A byte of page n that the first program wrote is OWN(n), one that a forked
 * child wrote OTHER(n), so a page that turns up in the wrong place or the wrong address space shows.
 */
#include "owner.h"

#define B 0xe0000000UL
#define WINDOW 32UL
#define AT(page) (B + (page)*PG)
#define AWAY                                                                                       \
	(64UL * PG) /* where mremap moves the window to and back from; also in the next table */
#define ROUNDS 90UL

static struct mm *mm;
static struct file *file;

static void check_result(enum fault_result r)
{
	BUG_ON(r != FAULT_DONE && r != FAULT_MAPERR && r != FAULT_ACCERR && r != FAULT_BUS);
}

static bool shared_with_children; /* what a child writes is the parent's, too */

/* One access to page n of the window that starts at base. child: of a forked address space. */
static void access_once(struct mm *of, unsigned long base, u64 *x, bool child)
{
	unsigned long n = next_random(x) % WINDOW;
	unsigned long va = base + n * PG + next_random(x) % PG;
	enum fault_access access = next_random(x) % 2 ? FAULT_WRITE : FAULT_READ;
	u8 byte = child ? OTHER(n) : OWN(n);
	enum fault_result r;

	if (next_random(x) % 2) {
		check_result(mm_handle_fault(of, va, access | FAULT_USER));
		return;
	}
	r = sim_access(of, va, access, &byte);
	check_result(r);
	if (r == FAULT_DONE)
		check_byte(n, byte, child || shared_with_children);
}

static void faulter(u64 *x)
{
	while (!is_done())
		access_once(mm, B, x, false);
}

static void faulter_both(u64 *x)
{
	while (!is_done())
		access_once(mm, next_random(x) % 2 ? B : B + AWAY, x, false);
}

struct range {
	unsigned long start, len;
};

static struct range some_pages(u64 *x)
{
	unsigned long first = next_random(x) % WINDOW;

	return (struct range){ AT(first), (1 + next_random(x) % (WINDOW - first)) * PG };
}

static void map_again(struct range r, unsigned long prot)
{
	BUG_ON(mm_mmap(mm, r.start, r.len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0) <
	       0);
}

/* ---- what the faults race with ---- */

static void unmapper(u64 *x)
{
	for (unsigned long i = 0; i < ROUNDS; i++) {
		struct range r = some_pages(x);

		BUG_ON(mm_munmap(mm, r.start, r.len));
		if (next_random(x) % 2)
			map_again(r, RW);
	}
}

static void protector(u64 *x)
{
	for (unsigned long i = 0; i < ROUNDS; i++) {
		static const unsigned long prots[] = { PROT_NONE, PROT_READ, RW };
		struct range r = some_pages(x);

		BUG_ON(mm_mprotect(mm, r.start, r.len, prots[next_random(x) % 3]));
	}
}

static void mover(u64 *x)
{
	for (unsigned long i = 0; i < ROUNDS; i++) {
		struct range r = some_pages(x);

		/* There and back, so that the window is whole when this ends. */
		BUG_ON(mm_mremap(mm, r.start, r.len, r.len, MREMAP_MAYMOVE | MREMAP_FIXED,
				 r.start + AWAY) < 0);
		BUG_ON(mm_mremap(mm, r.start + AWAY, r.len, r.len, MREMAP_MAYMOVE | MREMAP_FIXED,
				 r.start) < 0);
	}
}

static void dropper(u64 *x)
{
	for (unsigned long i = 0; i < ROUNDS * 2; i++) {
		struct range r = some_pages(x);

		BUG_ON(mm_madvise(mm, r.start, r.len, MADV_DONTNEED));
	}
}

static void populator(u64 *x)
{
	while (!is_done()) {
		struct range r = some_pages(x);
		int err = next_random(x) % 2 ? mm_populate(mm, r.start, r.start + r.len, 0)
					     : mm_madvise(mm, r.start, r.len, MADV_POPULATE_WRITE);

		BUG_ON(err && err != -ENOMEM && err != -EFAULT && err != -EINVAL);
	}
}

static void forker(u64 *x)
{
	for (unsigned long i = 0; i < ROUNDS / 6; i++) {
		struct mm *child = mm_fork(mm);

		BUG_ON(IS_ERR(child));
		for (unsigned int n = 0; n < 60; n++)
			access_once(child, B, x, true);
		child_leave(child);
	}
}

static void truncate_often(u64 *x, unsigned long rounds)
{
	struct mapping *m = sim_file_mapping(file);

	for (unsigned long i = 0; i < rounds; i++) {
		unsigned long first = next_random(x) % WINDOW;

		if (next_random(x) % 2)
			filemap_truncate(m, next_random(x) % (WINDOW * PG));
		else
			filemap_punch_hole(m, first * PG, WINDOW * PG);
		if (next_random(x) % 4 == 0)
			filemap_truncate(m, WINDOW * PG);
	}
}

static void truncater(u64 *x)
{
	truncate_often(x, ROUNDS * 2);
}

static void short_truncater(u64 *x)
{
	truncate_often(x, 20);
}

/* ---- the tests ---- */

static void map_window(void **state)
{
	mm = *state;
	t_map(mm, AT(0), WINDOW, RW);
}

static void map_file(void **state, unsigned long flags)
{
	mm = *state;
	file = sim_file(WINDOW * PG, true);
	t_map_file(mm, AT(0), WINDOW, RW, flags, file, 0);
}

static void test_munmap(void **state)
{
	map_window(state);
	RUN(mm, unmapper, faulter, faulter);
}

static void test_mprotect(void **state)
{
	map_window(state);
	RUN(mm, protector, faulter, faulter);
}

static void test_mremap(void **state)
{
	map_window(state);
	/* A vma that never had a page takes its new address for its offset, and would not fit in again. */
	sim_poke(mm, AT(0), OWN(0));
	RUN(mm, mover, faulter_both, faulter_both);
}

static void test_dontneed(void **state)
{
	map_window(state);
	RUN(mm, dropper, faulter, faulter);
}

static void test_fork(void **state)
{
	map_window(state);
	RUN(mm, forker, faulter, faulter);
}

static void test_forks(void **state)
{
	map_window(state);
	RUN(mm, forker, forker, faulter, protector);
}

static void test_populate(void **state)
{
	map_window(state);
	RUN(mm, unmapper, populator, faulter);
}

static void test_populate_protect(void **state)
{
	map_window(state);
	RUN(mm, protector, populator, dropper);
}

static void test_truncate_shared(void **state)
{
	map_file(state, MAP_SHARED);
	RUN(mm, truncater, faulter, faulter);
	assert_int_equal(mm_munmap(mm, AT(0), WINDOW * PG), 0);
	file_put(file);
}

static void test_truncate_and_dontneed(void **state)
{
	map_file(state, MAP_SHARED);
	RUN(mm, truncater, dropper, dropper, faulter);
	assert_int_equal(mm_munmap(mm, AT(0), WINDOW * PG), 0);
	file_put(file);
}

static void test_truncate_private(void **state)
{
	map_file(state, MAP_PRIVATE);
	RUN(mm, truncater, faulter, faulter, protector);
	assert_int_equal(mm_munmap(mm, AT(0), WINDOW * PG), 0);
	file_put(file);
}

static void test_truncate_and_fork(void **state)
{
	map_file(state, MAP_SHARED);
	shared_with_children = true;
	RUN(mm, truncater, faulter, forker);
	shared_with_children = false;
	assert_int_equal(mm_munmap(mm, AT(0), WINDOW * PG), 0);
	file_put(file);
}

/* ---- several faults on one page: all see the same frame ---- */

static pthread_barrier_t barrier;

static void same_page(u64 *x)
{
	unsigned long self = sim_cpu.id - 1;

	for (unsigned long i = 0; i < ROUNDS / 2; i++) {
		u8 byte = (u8)(i | 1);
		enum fault_access first = next_random(x) % 2 ? FAULT_READ : FAULT_WRITE;

		if (self == 0)
			map_again((struct range){ AT(i % 3), PG }, RW);
		pthread_barrier_wait(&barrier);
		BUG_ON(sim_access(mm, AT(i % 3) + self, first, &(u8){ byte }) != FAULT_DONE);
		BUG_ON(sim_access(mm, AT(i % 3) + self, FAULT_WRITE, &byte) != FAULT_DONE);
		pthread_barrier_wait(&barrier);
		for (unsigned long other = 0; other < 3; other++) {
			u8 seen;

			BUG_ON(sim_access(mm, AT(i % 3) + other, FAULT_READ, &seen) != FAULT_DONE);
			if (seen != byte)
				panic("thread %lu's store was lost", other);
		}
		pthread_barrier_wait(&barrier);
	}
}

static void test_one_page(void **state)
{
	map_window(state);
	pthread_barrier_init(&barrier, NULL, 3);
	RUN(mm, same_page, same_page, same_page);
	pthread_barrier_destroy(&barrier);
}

/* ---- two take the same pages out: neither sees them again, whoever was first ---- */

static void drop_together(u64 *x)
{
	unsigned long self = sim_cpu.id - 1;

	for (unsigned long i = 0; i < ROUNDS; i++) {
		unsigned long n = next_random(x) % WINDOW;
		u8 byte = OWN(n);

		BUG_ON(sim_access(mm, AT(n), FAULT_WRITE, &byte) != FAULT_DONE);
		pthread_barrier_wait(&barrier);
		for (unsigned long k = next_random(x) % 300; self && k; k--)
			cpu_relax();
		BUG_ON(mm_madvise(mm, AT(0), WINDOW * PG, MADV_DONTNEED));
		for (n = 0; n < WINDOW; n++) {
			BUG_ON(sim_access(mm, AT(n), FAULT_READ, &byte) != FAULT_DONE);
			if (byte)
				panic("page %lu was dropped and still reads %x", n, byte);
		}
		pthread_barrier_wait(&barrier);
	}
}

static void test_dontneed_together(void **state)
{
	map_window(state);
	pthread_barrier_init(&barrier, NULL, 2);
	sim_flush_yields = 100;
	RUN(mm, drop_together, drop_together);
	sim_flush_yields = 0;
	pthread_barrier_destroy(&barrier);
}

/* A right that was taken away is gone, though truncation empties the same entries meanwhile. */
static void protect_and_write(u64 *x)
{
	while (!is_done()) {
		unsigned long n = next_random(x) % WINDOW;
		u8 byte = OWN(n);

		check_result(sim_access(mm, AT(n), FAULT_WRITE, &byte));
		BUG_ON(mm_mprotect(mm, AT(0), WINDOW * PG, PROT_READ));
		BUG_ON(sim_access(mm, AT(n), FAULT_WRITE, &byte) != FAULT_ACCERR);
		BUG_ON(mm_mprotect(mm, AT(0), WINDOW * PG, RW));
	}
}

static void test_mprotect_and_truncate(void **state)
{
	map_file(state, MAP_SHARED);
	sim_flush_yields = 100;
	RUN(mm, truncater, protect_and_write);
	sim_flush_yields = 0;
	assert_int_equal(mm_munmap(mm, AT(0), WINDOW * PG), 0);
	file_put(file);
}

/* ---- the last user leaves while others fault, and while the file is truncated ---- */

static unsigned int nr_loaded; /* CPUs that have mm loaded */

static void leaver(u64 *x)
{
	for (unsigned long i = next_random(x) % 200; i; i--)
		access_once(mm, B, x, false);
	/* Its CPU loads another address space. The TLB is one for all: it forgets when the last one does. */
	if (__atomic_sub_fetch(&nr_loaded, 1, __ATOMIC_ACQ_REL) == 0)
		sim_mm_leave(mm);
	mm_put(mm);
}

static void test_exit(void **state)
{
	struct mm *first = *state;

	file = sim_file(WINDOW * PG, true);
	for (unsigned int i = 0; i < 12; i++) {
		struct thread threads[4];

		mm = mm_create(false);
		assert_non_null(mm);
		t_map_file(mm, AT(0), WINDOW, RW, i % 2 ? MAP_SHARED : MAP_PRIVATE, file, 0);
		t_map(mm, AT(WINDOW), WINDOW, RW);
		mm_get(mm);
		mm_get(mm);
		nr_loaded = 3;
		for (unsigned int n = 0; n < 4; n++)
			start(&threads[n], n < 3 ? leaver : short_truncater, n + 1);
		for (unsigned int n = 0; n < 4; n++)
			pthread_join(threads[n].thread, NULL);
		assert_int_equal(nr_loaded, 0);
	}
	mm = first;
	file_put(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_munmap),
		T_MM(test_mprotect),
		T_MM(test_mremap),
		T_MM(test_dontneed),
		T_MM(test_fork),
		T_MM(test_forks),
		T_MM(test_populate),
		T_MM(test_populate_protect),
		T_MM(test_truncate_shared),
		T_MM(test_truncate_and_dontneed),
		T_MM(test_truncate_private),
		T_MM(test_truncate_and_fork),
		T_MM(test_one_page),
		T_MM(test_dontneed_together),
		T_MM(test_mprotect_and_truncate),
		T_MM(test_exit),
	};

	(void)host_seed();
	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
