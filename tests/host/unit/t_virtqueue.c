/* SPDX-License-Identifier: MIT
 *
 * The virtqueue against a simulated device: an honest one that finishes requests in any order, and ones that lie.
 */
#include "t.h"

#include <drivers/virtqueue.h>
#include <stdlib.h>

#define SIZE 16u
#define DESC_NEXT 1
#define DESC_WRITE 2

static struct virtqueue q;
static void *memory;
static u16 seen; /* of avail->idx, by the device */

static int setup(void **state)
{
	*state = NULL;
	memory = aligned_alloc(4096, 4096);
	memset(memory, 0, 4096);
	assert_true(virtqueue_bytes(SIZE) <= 4096);
	virtqueue_init(&q, SIZE, memory);
	seen = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(memory);
	return 0;
}

/* ---- the device ---- */

/* The head of the next request, or -1. */
static int device_next(void)
{
	if (seen == q.avail->idx)
		return -1;
	return q.avail->ring[seen++ % q.size];
}

static void device_done(u32 head, u32 len)
{
	q.used->ring[q.used->idx % q.size] = (struct virtq_used_elem){ head, len };
	q.used->idx++;
}

/* A request of n pieces, of which the last `writes` are the device's. Its token is its address. */
static bool add(unsigned int n, unsigned int writes, u64 addr)
{
	struct virtq_segment s[SIZE + 1];

	for (unsigned int i = 0; i < n; i++)
		s[i] = (struct virtq_segment){ addr + i, 100 + i, i >= n - writes };
	return virtqueue_add(&q, s, n, (void *)addr);
}

static void check_chain(unsigned int head, unsigned int n, unsigned int writes, u64 addr)
{
	for (unsigned int i = 0; i < n; i++) {
		const struct virtq_desc *d = &q.desc[head];

		assert_int_equal(d->addr, addr + i);
		assert_int_equal(d->len, 100 + i);
		assert_int_equal(!!(d->flags & DESC_WRITE), i >= n - writes);
		assert_int_equal(!!(d->flags & DESC_NEXT), i < n - 1);
		head = d->next;
	}
}

/* ---- honest ---- */

static void test_one_request(void **state)
{
	u32 len = 0;
	int head;

	(void)state;
	assert_true(add(3, 2, 0x1000));
	assert_int_equal(device_next(), -1);
	assert_true(virtqueue_publish(&q));
	head = device_next();
	check_chain((unsigned int)head, 3, 2, 0x1000);
	assert_null(virtqueue_take(&q, &len));
	device_done((u32)head, 77);
	assert_ptr_equal(virtqueue_take(&q, &len), (void *)0x1000);
	assert_int_equal(len, 77);
	assert_null(virtqueue_take(&q, &len));
	assert_int_equal(q.nr_free, SIZE);
	assert_false(q.broken);
}

static void test_no_notification(void **state)
{
	(void)state;
	q.used->flags = 1;
	assert_true(add(1, 0, 0x1000));
	assert_false(virtqueue_publish(&q));
	assert_int_equal(device_next(), 0);
}

static void test_full(void **state)
{
	u32 len;

	(void)state;
	assert_false(add(SIZE + 1, 0, 0x1000));
	assert_false(add(0, 0, 0x1000));
	assert_true(add(SIZE - 1, 1, 0x1000));
	assert_false(add(2, 1, 0x2000));
	assert_true(add(1, 1, 0x3000));
	assert_false(add(1, 1, 0x4000));
	(void)virtqueue_publish(&q);
	device_done((u32)device_next(), 0);
	assert_ptr_equal(virtqueue_take(&q, &len), (void *)0x1000);
	assert_true(add(SIZE - 1, 1, 0x5000));
}

/* Long enough for the indexes to pass 65535, with chains that lie across each other's holes. */
static void test_any_order(void **state)
{
	unsigned int heads[SIZE], lens[SIZE], outstanding = 0;
	u64 addrs[SIZE], next = 0x1000;

	(void)state;
	srand(1);
	for (unsigned int round = 0; round < 200000; round++) {
		unsigned int n = 1 + (unsigned int)rand() % 5, i;
		u32 len;

		if (rand() % 2 && add(n, 1, next)) {
			(void)virtqueue_publish(&q);
			heads[outstanding] = (unsigned int)device_next();
			lens[outstanding] = n;
			addrs[outstanding++] = next;
			next += 0x100;
		} else if (outstanding) {
			i = (unsigned int)rand() % outstanding;
			check_chain(heads[i], lens[i], 1, addrs[i]);
			device_done(heads[i], n);
			assert_ptr_equal(virtqueue_take(&q, &len), (void *)addrs[i]);
			heads[i] = heads[--outstanding];
			lens[i] = lens[outstanding];
			addrs[i] = addrs[outstanding];
		}
	}
	assert_true(next > 0x1000 + 70000 * 0x100UL);
}

/* ---- lies: nothing comes back, and the queue is not used any more ---- */

static void expect_broken(void)
{
	u32 len;

	assert_null(virtqueue_take(&q, &len));
	assert_true(q.broken);
	assert_false(add(1, 0, 0x9000));
	assert_null(virtqueue_take(&q, &len));
}

static void test_id_beyond_the_end(void **state)
{
	(void)state;
	assert_true(add(2, 1, 0x1000));
	(void)virtqueue_publish(&q);
	device_done(SIZE, 0);
	expect_broken();
	assert_ptr_equal(virtqueue_take_unfinished(&q), (void *)0x1000);
	assert_null(virtqueue_take_unfinished(&q));
}

static void test_id_of_no_request(void **state)
{
	(void)state;
	assert_true(add(3, 1, 0x1000));
	(void)virtqueue_publish(&q);
	device_done(1, 0); /* in the middle of the chain */
	expect_broken();
}

static void test_id_twice(void **state)
{
	u32 len;

	(void)state;
	assert_true(add(1, 1, 0x1000));
	assert_true(add(1, 1, 0x2000));
	(void)virtqueue_publish(&q);
	device_done(0, 0);
	device_done(0, 0);
	assert_ptr_equal(virtqueue_take(&q, &len), (void *)0x1000);
	expect_broken();
	assert_ptr_equal(virtqueue_take_unfinished(&q), (void *)0x2000);
}

static void test_more_than_there_are(void **state)
{
	(void)state;
	assert_true(add(1, 1, 0x1000));
	(void)virtqueue_publish(&q);
	q.used->idx = SIZE + 1;
	expect_broken();
}

/* What the device writes into the table of descriptors, which it may only read, changes nothing for us. */
static void test_table_scribbled_over(void **state)
{
	u32 len;

	(void)state;
	assert_true(add(4, 1, 0x1000));
	assert_true(add(4, 1, 0x2000));
	(void)virtqueue_publish(&q);
	memset(q.desc, 0xff, SIZE * sizeof(*q.desc));
	device_done(4, 0);
	device_done(0, 0);
	assert_ptr_equal(virtqueue_take(&q, &len), (void *)0x2000);
	assert_ptr_equal(virtqueue_take(&q, &len), (void *)0x1000);
	assert_true(add(SIZE, 1, 0x3000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_request, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_notification, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_any_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_id_beyond_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_id_of_no_request, setup, teardown),
		cmocka_unit_test_setup_teardown(test_id_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_more_than_there_are, setup, teardown),
		cmocka_unit_test_setup_teardown(test_table_scribbled_over, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
