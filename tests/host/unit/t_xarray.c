/* SPDX-License-Identifier: MIT
 *
 * The sparse array against a flat one: stores, loads, erasures and searches at indices of every
 * height.
 */
#include "t.h"
#include <kern/xarray.h>

static struct xarray xa;
static spinlock_t lock;
static int things[512];

static int store(unsigned long index, void *entry)
{
	int err = xa_reserve(&xa, &lock, index);

	if (err)
		return err;
	spin_lock(&lock);
	err = xa_store(&xa, index, entry);
	spin_unlock(&lock);
	return err;
}

static void test_empty(void **state)
{
	unsigned long i = 0;

	(void)state;
	xa_init(&xa);
	assert_null(xa_load(&xa, 0));
	assert_null(xa_load(&xa, ~0UL));
	assert_null(xa_erase(&xa, 7));
	assert_null(xa_find(&xa, &i, ~0UL));
	xa_destroy(&xa);
}

static void test_store_without_reserve(void **state)
{
	(void)state;
	xa_init(&xa);
	assert_int_equal(xa_store(&xa, 3, things), -EAGAIN);
	assert_int_equal(store(3, things), 0);
	assert_int_equal(xa_store(&xa, 4, things), 0);
	assert_int_equal(xa_store(&xa, 64, things), -EAGAIN);
	assert_ptr_equal(xa_erase(&xa, 3), things);
	assert_ptr_equal(xa_erase(&xa, 4), things);
	assert_null(xa.root);
}

/* Indices where levels begin and end. */
static const unsigned long edges[] = {
	0,	   1,	      62,	 63,
	64,	   65,	      4095,	 4096,
	262143,	   262144,    1UL << 24, (1UL << 30) - 1,
	1UL << 36, 1UL << 52, 1UL << 60, (1UL << 60) + 63,
	~0UL - 64, ~0UL - 1,  ~0UL,
};

static void test_edges(void **state)
{
	unsigned long i = 0;
	unsigned int n = 0;

	(void)state;
	xa_init(&xa);
	for (unsigned int e = ARRAY_SIZE(edges); e-- > 0;)
		assert_int_equal(store(edges[e], &things[e]), 0);
	assert_int_equal(xa.count, ARRAY_SIZE(edges));
	for (unsigned int e = 0; e < ARRAY_SIZE(edges); e++)
		assert_ptr_equal(xa_load(&xa, edges[e]), &things[e]);
	for (void *entry; (entry = xa_find(&xa, &i, ~0UL)); n++) {
		assert_int_equal(i, edges[n]);
		assert_ptr_equal(entry, &things[n]);
		if (i++ == ~0UL) {
			n++;
			break;
		}
	}
	assert_int_equal(n, ARRAY_SIZE(edges));
	i = 66;
	assert_null(xa_find(&xa, &i, 4094));
	assert_int_equal(i, 66);
	for (unsigned int e = 0; e < ARRAY_SIZE(edges); e++)
		assert_ptr_equal(xa_erase(&xa, edges[e]), &things[e]);
	assert_null(xa.root);
	assert_int_equal(xa.height, 0);
}

static void test_random(void **state)
{
	static void *flat[100000];
	const unsigned long bases[] = { 0, 1UL << 20, ~0UL - ARRAY_SIZE(flat) + 1 };

	(void)state;
	for (unsigned int b = 0; b < ARRAY_SIZE(bases); b++) {
		unsigned long count = 0;

		memset(flat, 0, sizeof(flat));
		xa_init(&xa);
		for (unsigned int step = 0; step < 20000; step++) {
			unsigned long at = t_below(step % 2 ? ARRAY_SIZE(flat) : 300);
			void *entry = &things[t_below(ARRAY_SIZE(things))];
			unsigned long found, expect;

			switch (t_below(4)) {
			case 0:
				assert_int_equal(store(bases[b] + at, entry), 0);
				count += !flat[at];
				flat[at] = entry;
				break;
			case 1:
				assert_ptr_equal(xa_erase(&xa, bases[b] + at), flat[at]);
				count -= flat[at] != NULL;
				flat[at] = NULL;
				break;
			case 2:
				assert_ptr_equal(xa_load(&xa, bases[b] + at), flat[at]);
				break;
			default:
				for (expect = at; expect < ARRAY_SIZE(flat) && !flat[expect];)
					expect++;
				found = bases[b] + at;
				entry = xa_find(&xa, &found, bases[b] + ARRAY_SIZE(flat) - 1);
				assert_ptr_equal(entry,
						 expect < ARRAY_SIZE(flat) ? flat[expect] : NULL);
				assert_int_equal(found - bases[b], entry ? expect : at);
			}
			assert_int_equal(xa.count, count);
		}
		xa_destroy(&xa);
	}
}

static void test_gather(void **state)
{
	void *out[200];
	unsigned long bases[] = { 0, 1UL << 40, ~0UL - 255 };

	(void)state;
	for (unsigned int b = 0; b < ARRAY_SIZE(bases); b++) {
		xa_init(&xa);
		assert_int_equal(xa_gather(&xa, bases[b], bases[b] + 10, out), 0);
		for (unsigned long i = 0; i < 256; i += 3)
			assert_int_equal(store(bases[b] + i, &things[i]), 0);
		for (unsigned int round = 0; round < 500; round++) {
			unsigned long first = t_below(256), last = min(first + t_below(150), 255UL);
			unsigned int n = xa_gather(&xa, bases[b] + first, bases[b] + last, out),
				     k = 0;

			for (unsigned long i = first; i <= last; i++)
				if (i % 3 == 0)
					assert_ptr_equal(out[k++], &things[i]);
			assert_int_equal(n, k);
		}
		xa_destroy(&xa);
	}
}

/* Out of memory at each node in turn: the array is as before, and no node leaks. */
/* One entry at many indexes: all or none of them. */
static void test_runs(void **state)
{
	(void)state;
	xa_init(&xa);
	for (unsigned long n = 4; n <= 512; n *= 2) {
		unsigned long first = 3 * n;

		assert_int_equal(xa_store_run(&xa, first, n, &things[0]), -EAGAIN);
		assert_int_equal(xa_reserve_run(&xa, &lock, first, n), 0);
		assert_int_equal(xa_store_run(&xa, first, n, &things[0]), 0);
		assert_int_equal(xa.count, n);
		for (unsigned long i = first - 1; i <= first + n; i++)
			assert_ptr_equal(xa_load(&xa, i),
					 i < first || i == first + n ? NULL : &things[0]);
		xa_erase(&xa, first);
		assert_int_equal(xa_store_run(&xa, first, n, &things[1]), -EEXIST);
		assert_null(xa_load(&xa, first));
		for (unsigned long i = first + 1; i < first + n; i++)
			assert_ptr_equal(xa_erase(&xa, i), &things[0]);
		assert_int_equal(xa.count, 0);
	}
	xa_destroy(&xa);
}

static void test_failures(void **state)
{
	(void)state;
	for (unsigned int full = 0; full < 2; full++) {
		for (unsigned int e = 0; e < ARRAY_SIZE(edges); e++) {
			unsigned long nth = 0;
			int err;

			xa_init(&xa);
			if (full)
				assert_int_equal(store(5, things), 0);
			do {
				unsigned long before = slab_objects_in_use();

				fail_at(FAIL_XARRAY, ++nth);
				err = store(edges[e], &things[e]);
				fail_at(FAIL_XARRAY, 0);
				if (err) {
					assert_int_equal(err, -ENOMEM);
					assert_null(xa_load(&xa, edges[e]));
					assert_int_equal(slab_objects_in_use(), before);
				}
				assert_true(nth < 30);
			} while (err);
			assert_ptr_equal(xa_load(&xa, edges[e]), &things[e]);
			xa_destroy(&xa);
		}
	}
}

/* What is tagged in a flat array; bit t: tag t. */
static u8 tagged[5000];

static void check_found(unsigned long base, unsigned long from, enum xa_tag tag)
{
	unsigned long i = base + from, expect = from;
	void *entry = xa_find_tagged(&xa, &i, base + ARRAY_SIZE(tagged) - 1, tag);

	while (expect < ARRAY_SIZE(tagged) && !(tagged[expect] >> tag & 1))
		expect++;
	if (expect == ARRAY_SIZE(tagged)) {
		assert_null(entry);
	} else {
		assert_int_equal(i, base + expect);
		assert_ptr_equal(entry, xa_load(&xa, i));
	}
}

static void tags_step(unsigned long base, bool few)
{
	unsigned long at = t_below(few ? 100 : ARRAY_SIZE(tagged));
	enum xa_tag tag = t_below(NR_XA_TAGS);

	switch (t_below(6)) {
	case 0:
	case 1:
		assert_int_equal(store(base + at, &things[at % ARRAY_SIZE(things)]), 0);
		break;
	case 2:
		xa_erase(&xa, base + at);
		tagged[at] = 0;
		break;
	case 3:
		if (!xa_load(&xa, base + at))
			break;
		xa_set_tag(&xa, base + at, tag);
		tagged[at] |= 1 << tag;
		break;
	case 4:
		xa_clear_tag(&xa, base + at, tag);
		tagged[at] &= ~(1 << tag);
		break;
	default:
		assert_int_equal(xa_has_tag(&xa, base + at, tag), tagged[at] >> tag & 1);
		check_found(base, at, tag);
		break;
	}
}

static void test_tags(void **state)
{
	const unsigned long bases[] = { 0, 1UL << 20, ~0UL - ARRAY_SIZE(tagged) + 1 };

	(void)state;
	for (unsigned int b = 0; b < ARRAY_SIZE(bases); b++) {
		memset(tagged, 0, sizeof(tagged));
		xa_init(&xa);
		for (unsigned int step = 0; step < 40000; step++)
			tags_step(bases[b], step / 5000 % 2);
		for (unsigned long i = 0; i < ARRAY_SIZE(tagged); i++) {
			xa_erase(&xa, bases[b] + i);
			tagged[i] = 0;
			if (i % 64 == 0)
				check_found(bases[b], 0, XA_TAG_1);
		}
		assert_null(xa.root);
	}
}

/* A tag is seen from a root that comes later, and goes with its entry. */
static void test_tag_and_height(void **state)
{
	unsigned long i = 0;

	(void)state;
	xa_init(&xa);
	assert_int_equal(store(5, &things[5]), 0);
	xa_set_tag(&xa, 5, XA_TAG_0);
	assert_int_equal(store(1UL << 40, &things[6]), 0);
	assert_ptr_equal(xa_find_tagged(&xa, &i, ~0UL, XA_TAG_0), &things[5]);
	assert_int_equal(i++, 5);
	assert_null(xa_find_tagged(&xa, &i, ~0UL, XA_TAG_0));
	xa_erase(&xa, 1UL << 40);
	assert_int_equal(xa.height, 1);
	assert_true(xa_has_tag(&xa, 5, XA_TAG_0));
	xa_erase(&xa, 5);
	assert_int_equal(store(5, &things[5]), 0);
	assert_false(xa_has_tag(&xa, 5, XA_TAG_0));
	xa_destroy(&xa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_empty),		T(test_store_without_reserve),
		T(test_edges),		T(test_random),
		T(test_gather),		T(test_failures),
		T(test_runs),		T(test_tags),
		T(test_tag_and_height),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
