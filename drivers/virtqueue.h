/* SPDX-License-Identifier: MIT
 *
 * A split virtqueue (Virtual I/O Device 1.1, 2.6), the driver's side. Memory and arithmetic only: tests/host
 * runs it against a simulated device. The caller locks.
 *
 * The device is not trusted: what the driver relies on lies in memory that the device is not told about, and
 * each number it returns is looked up there.
 */
#ifndef DRIVERS_VIRTQUEUE_H
#define DRIVERS_VIRTQUEUE_H

#include <kern/types.h>

#define VIRTQUEUE_MAX 256u

struct virtq_desc {
	u64 addr; /* physical */
	u32 len;
	u16 flags;
	u16 next;
};

struct virtq_avail {
	u16 flags;
	u16 idx; /* where the driver puts the next head, modulo the size */
	u16 ring[];
};

struct virtq_used_elem {
	u32 id;	 /* head of the chain */
	u32 len; /* bytes the device wrote */
};

struct virtq_used {
	u16 flags;
	u16 idx;
	struct virtq_used_elem ring[];
};

/* A piece of a request, contiguous in physical memory. */
struct virtq_segment {
	u64 addr;
	u32 len;
	bool device_writes;
};

struct virtqueue {
	unsigned int size; /* a power of two, at most VIRTQUEUE_MAX */
	struct virtq_desc *desc;
	struct virtq_avail *avail;
	struct virtq_used *used;
	unsigned int nr_free;
	u16 free_head;
	u16 avail_idx; /* ours, as written to avail->idx */
	u16 used_idx;  /* what we have taken of used->ring */
	bool broken;
	u16 next[VIRTQUEUE_MAX]; /* of a descriptor: in its chain, or in the list of free ones */
	u16 chain_len[VIRTQUEUE_MAX]; /* of a chain's head; 0: no chain of ours begins here */
	void *tokens[VIRTQUEUE_MAX];  /* of a chain's head */
};

/* Bytes of memory for the three parts, which follow one another in this order. */
size_t virtqueue_bytes(unsigned int size);
/* memory: zeroed, physically contiguous, page-aligned. */
void virtqueue_init(struct virtqueue *q, unsigned int size, void *memory);

/*
 * Queues one request: what the device reads first, what it writes after that. token comes back from
 * virtqueue_take(). False: so many descriptors are not free.
 */
bool virtqueue_add(struct virtqueue *q, const struct virtq_segment *segments, unsigned int n,
		   void *token);
/* Makes what was added visible to the device. True when it has to be told. */
bool virtqueue_publish(struct virtqueue *q);
/*
 * A request that the device is done with, or NULL when there is none. *len: bytes it says it wrote. NULL and
 * q->broken when the device said nonsense: the queue is not used any more.
 */
void *virtqueue_take(struct virtqueue *q, u32 *len);
/* One after the other, the requests that the device still has (after its reset); NULL at the end. */
void *virtqueue_take_unfinished(struct virtqueue *q);

#endif
