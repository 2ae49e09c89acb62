/* SPDX-License-Identifier: MIT
 *
 * System V shared memory: Linux's values and layouts for x86_64.
 */
#ifndef UAPI_SHM_H
#define UAPI_SHM_H

#include <kern/types.h>

#define IPC_PRIVATE 0

/* shmget() flags; the lower nine bits are the mode. */
#define IPC_CREAT 01000
#define IPC_EXCL 02000
#define SHM_HUGETLB 04000
#define SHM_NORESERVE 010000
#define SHM_HUGE_SHIFT 26
#define SHM_HUGE_MASK 0x3fU

/* shmat() flags */
#define SHM_RDONLY 010000
#define SHM_RND 020000
#define SHM_REMAP 040000
#define SHM_EXEC 0100000

/* shmctl() commands */
#define IPC_RMID 0
#define IPC_SET 1
#define IPC_STAT 2
#define IPC_INFO 3
#define SHM_LOCK 11
#define SHM_UNLOCK 12
#define SHM_STAT 13
#define SHM_INFO 14
#define SHM_STAT_ANY 15

/* Shown with the mode. */
#define SHM_DEST 01000	 /* goes when the last one detaches */
#define SHM_LOCKED 02000 /* SHM_LOCK */

struct ipc64_perm {
	s32 key;
	u32 uid, gid, cuid, cgid;
	u32 mode;
	u16 seq;
	u16 pad;
	u64 unused[2];
};

struct shmid64_ds {
	struct ipc64_perm shm_perm;
	u64 shm_segsz;
	s64 shm_atime, shm_dtime, shm_ctime;
	s32 shm_cpid, shm_lpid;
	u64 shm_nattch;
	u64 unused[2];
};

struct shminfo64 {
	u64 shmmax, shmmin, shmmni, shmseg, shmall;
	u64 unused[4];
};

struct shm_info {
	s32 used_ids;
	u64 shm_tot, shm_rss, shm_swp; /* pages */
	u64 swap_attempts, swap_successes;
};

_Static_assert(sizeof(struct shmid64_ds) == 112, "as Linux's");

#endif
