/* SPDX-License-Identifier: MIT
 *
 * What the tests of System V shared memory share.
 */
#ifndef TESTS_USER_SHM_H
#define TESTS_USER_SHM_H

#include "lock.h"
#include <sys/shm.h>

/* A new segment that only this program knows. */
static inline int segment(size_t size)
{
	int id = shmget(IPC_PRIVATE, size, 0600 | IPC_CREAT);

	MUST(id >= 0);
	return id;
}

/* A key that nobody uses. */
static inline int free_key(void)
{
	int key = (int)getpid() << 8;

	while (shmget(++key, 0, 0) >= 0 || errno != ENOENT)
		;
	return key;
}

static inline char *attach(int id, const void *at, int flags)
{
	char *p = shmat(id, at, flags);

	MUST(p != (char *)-1);
	return p;
}

static inline struct shmid_ds shm_stat_of(int id)
{
	struct shmid_ds ds;

	MUST(!shmctl(id, IPC_STAT, &ds));
	return ds;
}

static inline long nattch(int id)
{
	return (long)shm_stat_of(id).shm_nattch;
}

#endif
