/* SPDX-License-Identifier: MIT
 *
 * System V shared memory segments, for shmctl() and /proc/sysvipc/shm.
 */
#ifndef KERNEL_IPC_SHM_H
#define KERNEL_IPC_SHM_H

#include <arch/page.h>
#include <kern/types.h>
#include <sync/spinlock.h>
#include <uapi/shm.h>

struct file;
struct user;

#define SHM_INDEX_BITS 15 /* an id: a sequence number above the index */
#define SHM_INDEX_MASK ((1 << SHM_INDEX_BITS) - 1)
#define SHM_MODE_MASK 0777

/* Lock letters: [s] shm_lock, [I] fixed. */
struct shm_segment {
	int id;			 /* [I] */
	s32 key;		 /* [s] */
	u32 uid, gid;		 /* [s] */
	u32 cuid, cgid;		 /* [I] */
	u32 mode;		 /* [s] with SHM_DEST and SHM_LOCKED */
	u64 size;		 /* [I] bytes */
	unsigned long nattch;	 /* [s] vmas that map it, and attaches under way */
	s64 atime, dtime, ctime; /* [s] seconds */
	int cpid, lpid;		 /* [I], [s] */
	struct file *file;	 /* [I] holds the memory; one reference */
	struct user *locked_by;	 /* [s] SHM_LOCKED: who is charged; one reference */
};

/* Guards the table, too. Nothing sleeps under it. */
extern spinlock_t shm_lock;

/* What the table holds. shm_lock held. */
struct shm_totals {
	unsigned int used;   /* segments */
	unsigned long pages; /* of all, rounded up each */
};
extern struct shm_totals shm_totals; /* [s] */

static inline unsigned long shm_pages(const struct shm_segment *seg)
{
	return (seg->size + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

/* The segment of an id, or with an index and any sequence number; NULL. shm_lock held. */
struct shm_segment *shm_find(int id);
struct shm_segment *shm_find_index(int id);
/* The first segment with an index >= *index, which becomes its index; NULL. shm_lock held. */
struct shm_segment *shm_next(unsigned long *index);
/* May the caller do what the mode bits of want (as 0400, 0200, 0100) say? shm_lock held. */
bool shm_permitted(const struct shm_segment *seg, u32 want);
/* Nothing finds it any more. shm_lock held; shm_free() after it. */
void shm_unlink(struct shm_segment *seg);
void shm_free(struct shm_segment *seg);

/* What shmctl(IPC_STAT) and /proc/sysvipc/shm say of one segment. */
struct shm_report {
	int id;
	struct shmid64_ds ds;
	unsigned long rss, swap; /* pages */
};
/* For a reader in ns. shm_lock held. */
void shm_describe(const struct shm_segment *seg, const struct user_namespace *ns,
		  struct shm_report *r);

#endif
