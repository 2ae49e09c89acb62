/* SPDX-License-Identifier: MIT
 *
 * The ring that a virtio driver and its device share.
 */
#include <drivers/virtqueue.h>
#include <kern/atomic.h>
#include <kern/string.h>

#define DESC_NEXT 1
#define DESC_WRITE 2
#define USED_NO_NOTIFY 1

static size_t desc_bytes(unsigned int size)
{
	return size * sizeof(struct virtq_desc);
}

static size_t avail_bytes(unsigned int size)
{
	return ALIGN_UP(sizeof(struct virtq_avail) + size * sizeof(u16), 8UL);
}

size_t virtqueue_bytes(unsigned int size)
{
	return desc_bytes(size) + avail_bytes(size) + sizeof(struct virtq_used) +
	       size * sizeof(struct virtq_used_elem);
}

void virtqueue_init(struct virtqueue *q, unsigned int size, void *memory)
{
	char *p = memory;

	memset(q, 0, sizeof(*q));
	q->size = size;
	q->desc = memory;
	q->avail = (struct virtq_avail *)(p + desc_bytes(size));
	q->used = (struct virtq_used *)(p + desc_bytes(size) + avail_bytes(size));
	q->nr_free = size;
	for (unsigned int i = 0; i < size; i++)
		q->next[i] = (u16)(i + 1);
}

bool virtqueue_add(struct virtqueue *q, const struct virtq_segment *segments, unsigned int n,
		   void *token)
{
	u16 head = q->free_head, at = head;

	if (n == 0 || n > q->nr_free || q->broken)
		return false;
	for (unsigned int i = 0; i < n; i++) {
		const struct virtq_segment *s = &segments[i];
		bool last = i == n - 1;

		q->desc[at] = (struct virtq_desc){
			.addr = s->addr,
			.len = s->len,
			.flags =
				(u16)((last ? 0 : DESC_NEXT) | (s->device_writes ? DESC_WRITE : 0)),
			.next = last ? 0 : q->next[at],
		};
		at = q->next[at];
	}
	q->free_head = at;
	q->nr_free -= n;
	q->chain_len[head] = (u16)n;
	q->tokens[head] = token;
	q->avail->ring[q->avail_idx % q->size] = head;
	q->avail_idx++;
	return true;
}

/*
 * The device looks at idx after it has said that it wants to be told; we look whether it wants that after
 * writing idx. One of us sees the other's word only if neither pair is reordered: hence SEQ_CST.
 */
bool virtqueue_publish(struct virtqueue *q)
{
	__atomic_store_n(&q->avail->idx, q->avail_idx, __ATOMIC_SEQ_CST);
	return !(__atomic_load_n(&q->used->flags, __ATOMIC_SEQ_CST) & USED_NO_NOTIFY);
}

/* Puts a chain's descriptors back; the next table is ours, so its end is where we put it. */
static void *free_chain(struct virtqueue *q, u16 head)
{
	unsigned int n = q->chain_len[head];
	u16 last = head;

	for (unsigned int i = 1; i < n; i++)
		last = q->next[last];
	q->next[last] = q->free_head;
	q->free_head = head;
	q->nr_free += n;
	q->chain_len[head] = 0;
	return q->tokens[head];
}

void *virtqueue_take(struct virtqueue *q, u32 *len)
{
	u16 idx = __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE);
	const struct virtq_used_elem *e = &q->used->ring[q->used_idx % q->size];
	u32 id;

	if (q->broken || idx == q->used_idx)
		return NULL;
	/* Read once: the device may change its mind between a check and a use. */
	id = READ_ONCE(e->id);
	if ((u16)(idx - q->used_idx) > q->size || id >= q->size || !q->chain_len[id]) {
		q->broken = true;
		return NULL;
	}
	*len = READ_ONCE(e->len);
	q->used_idx++;
	return free_chain(q, (u16)id);
}

void *virtqueue_take_unfinished(struct virtqueue *q)
{
	for (unsigned int head = 0; head < q->size; head++)
		if (q->chain_len[head])
			return free_chain(q, (u16)head);
	return NULL;
}
