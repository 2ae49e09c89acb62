/* SPDX-License-Identifier: MIT
 *
 * The virtqueue under a device that writes what it likes to the memory they share. Each byte is a step of the
 * driver's or the device's. Every request must come back exactly once, and the free descriptors be a list.
 */
#include "sim_host.h"

#include <drivers/virtqueue.h>
#include <kern/assert.h>
#include <string.h>

#define CHECK(cond) BUG_ON(!(cond))
#define SIZE 8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct virtqueue q;
static _Alignas(4096) char memory[4096];
static bool outstanding[256]; /* by token */

static void check_free_list(void)
{
	bool in_list[SIZE] = { false };
	unsigned int in_chains = 0, at = q.free_head;

	for (unsigned int i = 0; i < q.nr_free; i++) {
		CHECK(at < SIZE && !in_list[at]);
		in_list[at] = true;
		at = q.next[at];
	}
	for (unsigned int i = 0; i < SIZE; i++) {
		CHECK(!q.chain_len[i] || !in_list[i]);
		in_chains += q.chain_len[i];
	}
	CHECK(in_chains + q.nr_free == SIZE);
}

static void add(unsigned int n, u8 token)
{
	struct virtq_segment s[16] = { 0 };

	if (outstanding[token] || !virtqueue_add(&q, s, n, &outstanding[token]))
		return;
	outstanding[token] = true;
	(void)virtqueue_publish(&q);
}

static bool came_back(bool *token)
{
	if (!token)
		return false;
	CHECK(*token);
	*token = false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	u32 len;

	memset(memory, 0, sizeof(memory));
	memset(outstanding, 0, sizeof(outstanding));
	virtqueue_init(&q, SIZE, memory);
	for (size_t i = 0; i + 2 < size; i += 3) {
		u8 a = data[i + 1], b = data[i + 2];

		switch (data[i] % 5) {
		case 0:
			add(a % 16, b);
			break;
		case 1: /* a request that there may be, done as it should be */
			q.used->ring[q.used->idx % SIZE].id = a % SIZE;
			q.used->idx++;
			break;
		case 2:
			(void)came_back(virtqueue_take(&q, &len));
			break;
		case 3:
			memory[(a | (unsigned int)b << 8) % sizeof(memory)] = (char)data[i];
			break;
		case 4:
			q.used->ring[a % SIZE].id = b;
			q.used->idx = (u16)(q.used->idx + a / SIZE);
			break;
		}
		check_free_list();
	}
	while (came_back(virtqueue_take_unfinished(&q)))
		check_free_list();
	CHECK(q.nr_free == SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(outstanding); i++)
		CHECK(!outstanding[i]);
	return 0;
}
