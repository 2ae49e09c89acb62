/* SPDX-License-Identifier: MIT
 *
 * Threads in one address space: faults against mmap, munmap, mprotect, fork and truncation. The
 * threads fault by calling the handler, as the CPU would; no data is read, so the simulated TLB
 * stays empty. What is checked is that nothing breaks, and that everything adds up afterwards.
 */
#include "t.h"

#include <pthread.h>

#define B 0xe0000000UL
#define AT(page) (B + (page)*PG)
#define WINDOW 64UL
#define ROUNDS 1500UL

static struct mm *mm;
static struct file *file;

static u64 next_random(u64 *x)
{
	*x = *x * 6364136223846793005UL + 1442695040888963407UL;
	return *x >> 33;
}

/* A thread's caches would look like leaks. */
static void *leave(void)
{
	slab_shrink();
	pgtable_drain();
	drain_pcps();
	return NULL;
}

static void *faulter(void *arg)
{
	u64 x = (u64)arg * 77 + host_seed();

	sim_cpu.id = (unsigned int)(unsigned long)arg;
	for (unsigned long i = 0; i < ROUNDS * 10; i++) {
		unsigned long addr = AT(next_random(&x) % WINDOW);
		enum fault_access access = next_random(&x) % 2 ? FAULT_WRITE : FAULT_READ;
		enum fault_result r = mm_handle_fault(mm, addr, access | FAULT_USER);

		BUG_ON(r != FAULT_DONE && r != FAULT_MAPERR && r != FAULT_ACCERR && r != FAULT_BUS);
	}
	return leave();
}

static void *mapper(void *arg)
{
	u64 x = (u64)arg * 991 + host_seed();

	sim_cpu.id = (unsigned int)(unsigned long)arg;
	for (unsigned long i = 0; i < ROUNDS; i++) {
		unsigned long first = next_random(&x) % (WINDOW - 16), n = 1 + next_random(&x) % 16;
		unsigned long prot = next_random(&x) % 2 ? RW : PROT_READ;

		switch (next_random(&x) % 6) {
		case 0:
			BUG_ON(mm_munmap(mm, AT(first), n * PG));
			break;
		case 1:
			BUG_ON(mm_mmap(mm, AT(first), n * PG, prot,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0) < 0);
			break;
		case 2:
			BUG_ON(mm_mmap(mm, AT(first), n * PG, prot, MAP_SHARED | MAP_FIXED, file,
				       first) < 0);
			break;
		case 3:
			BUG_ON(mm_mmap(mm, AT(first), n * PG, prot, MAP_PRIVATE | MAP_FIXED, file,
				       first) < 0);
			break;
		case 4:
			(void)mm_mprotect(mm, AT(first), n * PG, prot);
			break;
		default:
			(void)mm_madvise(mm, AT(first), n * PG, MADV_DONTNEED);
		}
	}
	return leave();
}

static void *forker(void *arg)
{
	sim_cpu.id = (unsigned int)(unsigned long)arg;
	for (unsigned long i = 0; i < ROUNDS / 10; i++) {
		struct mm *child = mm_fork(mm);

		BUG_ON(IS_ERR(child));
		for (unsigned long p = 0; p < WINDOW; p += 5)
			(void)mm_handle_fault(child, AT(p), FAULT_WRITE | FAULT_USER);
		mm_put(child);
	}
	return leave();
}

static void *truncater(void *arg)
{
	u64 x = (u64)arg + host_seed();

	sim_cpu.id = (unsigned int)(unsigned long)arg;
	for (unsigned long i = 0; i < ROUNDS; i++) {
		if (next_random(&x) % 2)
			filemap_truncate(sim_file_mapping(file), next_random(&x) % (WINDOW * PG));
		else
			filemap_punch_hole(sim_file_mapping(file), next_random(&x) % 30 * PG,
					   50 * PG);
	}
	return leave();
}

static bool emptied; /* [A] the emptier has finished */

static void *private_writer(void *arg)
{
	u64 x = (u64)arg * 31 + host_seed();

	sim_cpu.id = (unsigned int)(unsigned long)arg;
	while (!__atomic_load_n(&emptied, __ATOMIC_ACQUIRE)) {
		unsigned long addr = AT(next_random(&x) % 4);
		enum fault_result r = mm_handle_fault(mm, addr, FAULT_WRITE | FAULT_USER);

		BUG_ON(r != FAULT_DONE && r != FAULT_BUS);
	}
	return leave();
}

/* Once the file is empty, no private copy of its pages is left, and none can come. */
static void *emptier(void *arg)
{
	sim_cpu.id = (unsigned int)(unsigned long)arg;
	for (unsigned long i = 0; i < ROUNDS; i++) {
		filemap_truncate(sim_file_mapping(file), 0);
		usleep(i % 16 * 4); /* time for a fault that is late */
		mmap_read_lock(mm);
		for (unsigned long p = 0; p < 4; p++) {
			pte_t *pte = pgtable_find(&mm->pgt, AT(p));

			BUG_ON(pte && !pte_none(pte_read(pte)));
		}
		mmap_read_unlock(mm);
		filemap_truncate(sim_file_mapping(file), WINDOW * PG);
		usleep(i % 8 * 4);
	}
	__atomic_store_n(&emptied, true, __ATOMIC_RELEASE);
	return leave();
}

static void run(void *(*const *fns)(void *), unsigned int n)
{
	pthread_t threads[8];

	file = sim_file(WINDOW * PG, true);
	t_map(mm, AT(0), WINDOW, RW);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fns[i], (void *)(i + 1UL)), 0);
	for (unsigned int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, AT(0), WINDOW * PG), 0);
	assert_int_equal(mm_rss(mm), 0);
	file_put(file);
}

static void test_faults_and_layout(void **state)
{
	mm = *state;
	run((void *(*const[])(void *)){ faulter, faulter, mapper }, 3);
}

static void test_faults_and_fork(void **state)
{
	mm = *state;
	run((void *(*const[])(void *)){ faulter, mapper, forker }, 3);
}

static void test_faults_and_truncation(void **state)
{
	mm = *state;
	run((void *(*const[])(void *)){ faulter, faulter, mapper, truncater }, 4);
}

static void test_private_copies_and_truncation(void **state)
{
	pthread_t threads[2];

	mm = *state;
	file = sim_file(WINDOW * PG, true);
	t_map_file(mm, AT(0), WINDOW, RW, MAP_PRIVATE, file, 0);
	assert_int_equal(pthread_create(&threads[0], NULL, private_writer, (void *)1UL), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, emptier, (void *)2UL), 0);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	t_validate(mm);
	file_put(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_faults_and_layout),
		T_MM(test_faults_and_fork),
		T_MM(test_faults_and_truncation),
		T_MM(test_private_copies_and_truncation),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
