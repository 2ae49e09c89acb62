/* SPDX-License-Identifier: MIT
 *
 * System V shared memory: segments by key and id, what shmctl says of them, how they end.
 */
#include "shm.h"

TEST(create, "a new segment: its id is one nobody has, its numbers are as asked")
{
	int id = segment(3 * PAGE - 100);
	struct shmid_ds ds = shm_stat_of(id);

	CHECK_EQ(ds.shm_segsz, 3 * PAGE - 100);
	CHECK_EQ(ds.shm_perm.mode, 0600);
	CHECK_EQ(ds.shm_perm.__key, IPC_PRIVATE);
	CHECK_EQ(ds.shm_perm.uid, geteuid());
	CHECK_EQ(ds.shm_perm.cgid, getegid());
	CHECK_EQ(ds.shm_cpid, getpid());
	CHECK_EQ(ds.shm_lpid, 0);
	CHECK_EQ(ds.shm_nattch, 0);
	CHECK_EQ(ds.shm_atime, 0);
	CHECK_EQ(ds.shm_dtime, 0);
	CHECK(ds.shm_ctime > 0);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
	CHECK_ERR(shmctl(id, IPC_RMID, NULL), EINVAL);
}

TEST(keys, "a key finds its segment; IPC_CREAT, IPC_EXCL, size and mode decide what comes back")
{
	int id, key = free_key();

	CHECK_ERR(shmget(key, PAGE, 0600), ENOENT);
	id = shmget(key, PAGE, 0600 | IPC_CREAT);
	MUST(id >= 0);
	CHECK_EQ(shmget(key, PAGE, 0600), id);
	CHECK_EQ(shmget(key, 0, 0), id);
	CHECK_EQ(shmget(key, 1, 0600 | IPC_CREAT), id);
	CHECK_ERR(shmget(key, PAGE + 1, 0600), EINVAL);
	CHECK_ERR(shmget(key, PAGE, 0600 | IPC_CREAT | IPC_EXCL), EEXIST);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_ERR(shmget(key, PAGE, 0600), ENOENT);
}

TEST(sizes, "size 0 and sizes beyond shmmax are refused")
{
	CHECK_ERR(shmget(IPC_PRIVATE, 0, 0600), EINVAL);
	CHECK_ERR(shmget(IPC_PRIVATE, ~0UL, 0600), EINVAL);
	CHECK_ERR(shmget(IPC_PRIVATE, 1UL << 62, 0600), ENOMEM);
}

TEST(huge, "SHM_HUGETLB without huge pages is refused")
{
	CHECK_ERR(shmget(IPC_PRIVATE, 2UL << 20, 0600 | SHM_HUGETLB), ENOMEM);
	CHECK_ERR(shmget(IPC_PRIVATE, 2UL << 20, 0600 | SHM_HUGETLB | 13 << 26), EINVAL);
}

TEST(arguments, "negative ids, unknown commands, bad buffers")
{
	struct shmid_ds ds;
	int id = segment(PAGE);

	CHECK_ERR(shmctl(-1, IPC_STAT, &ds), EINVAL);
	CHECK_ERR(shmctl(id, -1, &ds), EINVAL);
	CHECK_ERR(shmctl(id, 99, &ds), EINVAL);
	CHECK_EQ(SYS(shmctl, id, IPC_STAT, 1), -EFAULT);
	CHECK_EQ(SYS(shmctl, id, IPC_SET, 1), -EFAULT);
	CHECK_EQ(SYS(shmctl, id, IPC_INFO, 1), -EFAULT);
	CHECK_ERR(shmctl(id ^ 1 << 16, IPC_STAT, &ds), EINVAL);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

TEST(set, "IPC_SET changes owner and mode, nothing else")
{
	int id = segment(PAGE);
	struct shmid_ds ds = shm_stat_of(id);

	ds.shm_perm.uid = 5;
	ds.shm_perm.gid = 6;
	ds.shm_perm.mode = 07640;
	ds.shm_segsz = 1;
	CHECK_OK(shmctl(id, IPC_SET, &ds));
	ds = shm_stat_of(id);
	CHECK_EQ(ds.shm_perm.uid, 5);
	CHECK_EQ(ds.shm_perm.gid, 6);
	CHECK_EQ(ds.shm_perm.cuid, geteuid());
	CHECK_EQ(ds.shm_perm.mode, 0640);
	CHECK_EQ(ds.shm_segsz, PAGE);
	ds.shm_perm.uid = ~0U;
	CHECK_ERR(shmctl(id, IPC_SET, &ds), EINVAL);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

TEST(removal, "IPC_RMID takes the key away; the memory goes with the last that is attached")
{
	int key = free_key(), id = shmget(key, 2 * PAGE, 0600 | IPC_CREAT);
	struct shmid_ds ds;
	char *p, *q;

	MUST(id >= 0);
	p = attach(id, NULL, 0);
	p[PAGE] = 42;
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	ds = shm_stat_of(id);
	CHECK_EQ(ds.shm_perm.mode, 0600 | 01000);
	CHECK_EQ(ds.shm_perm.__key, IPC_PRIVATE);
	CHECK_ERR(shmget(key, PAGE, 0), ENOENT);
	q = attach(id, NULL, 0);
	CHECK_EQ(q[PAGE], 42);
	CHECK_OK(shmdt(p));
	CHECK_EQ(shm_stat_of(id).shm_nattch, 1);
	CHECK_OK(shmdt(q));
	CHECK_ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
}

TEST(by_index, "SHM_STAT and SHM_STAT_ANY go by index and answer with the id")
{
	int id = segment(PAGE), max, seen = 0;
	struct shmid_ds ds;
	struct shm_info info;
	struct shminfo limits;

	max = shmctl(0, SHM_INFO, (void *)&info);
	CHECK(max >= (id & 0x7fff));
	CHECK(info.used_ids >= 1);
	CHECK(info.shm_tot >= 1);
	CHECK_EQ(shmctl(0, IPC_INFO, (void *)&limits), max);
	CHECK_EQ(limits.shmmin, 1);
	for (int i = 0; i <= max; i++)
		if (shmctl(i, SHM_STAT, &ds) == id && shmctl(i, 15, &ds) == id)
			seen++;
	CHECK_EQ(seen, 1);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

FORKED_TEST(permissions, "the mode bits bind others; only owner and root change or remove")
{
	struct shmid_ds ds;
	int id = shmget(IPC_PRIVATE, PAGE, 0604 | IPC_CREAT), key = free_key(), shared;

	MUST(id >= 0);
	shared = shmget(key, PAGE, 0600 | IPC_CREAT);
	MUST(shared >= 0);
	IN_CHILD
	{
		MUST(!setgid(65534) && !setuid(65534));
		CHECK_EQ((long)shmat(id, NULL, 0), -1);
		CHECK_EQ(errno, EACCES);
		CHECK_OK(shmdt(attach(id, NULL, SHM_RDONLY)));
		CHECK_EQ((long)shmat(id, NULL, SHM_RDONLY | SHM_EXEC), -1);
		CHECK_EQ(errno, EACCES);
		CHECK_OK(shmctl(id, IPC_STAT, &ds));
		CHECK_ERR(shmctl(id, IPC_SET, &ds), EPERM);
		CHECK_ERR(shmctl(id, IPC_RMID, NULL), EPERM);
		CHECK_ERR(shmctl(id, SHM_LOCK, NULL), EPERM);
		CHECK_ERR(shmget(key, PAGE, 0400), EACCES);
		CHECK_EQ(shmget(key, PAGE, 0), shared);
		CHECK_ERR(shmctl(shared, IPC_STAT, &ds), EACCES);
		CHECK_EQ(shmctl(shared & 0x7fff, 15, &ds), shared);
	}
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_OK(shmctl(shared, IPC_RMID, NULL));
}

TEST(proc, "/proc/sysvipc/shm shows a line for each, in Linux's columns")
{
	int id = segment(5000);
	char *p = attach(id, NULL, 0), *text, *line, want[32];

	p[0] = 1;
	text = slurp("/proc/sysvipc/shm");
	MUST(text);
	CHECK_EQ(memcmp(text,
			"       key      shmid perms                  size  cpid  lpid nattch "
			"  uid   gid  cuid  cgid      atime      dtime      ctime "
			"                  rss                  swap\n",
			164),
		 0);
	snprintf(want, sizeof(want), "\n         0 %10d   600 ", id);
	line = strstr(text, want);
	CHECK(line);
	if (line) {
		unsigned long size, attached, rss;
		int cpid, lpid;

		CHECK_EQ(sscanf(line + strlen(want),
				"%lu %d %d %lu %*u %*u %*u %*u %*u %*u %*u %lu", &size, &cpid,
				&lpid, &attached, &rss),
			 5);
		CHECK_EQ(size, 5000);
		CHECK_EQ(cpid, getpid());
		CHECK_EQ(lpid, getpid());
		CHECK_EQ(attached, 1);
		CHECK_EQ(rss, PAGE);
	}
	CHECK_OK(shmdt(p));
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

static void set_limit(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	MUST(fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value));
	close(fd);
}

TEST(limits, "shmmax, shmall and shmmni bound what can be made")
{
	int id, second;

	CHECK_STR(slurp("/proc/sys/kernel/shmmax"), "18446744073692774399\n");
	CHECK_STR(slurp("/proc/sys/kernel/shmall"), "18446744073692774399\n");
	CHECK_STR(slurp("/proc/sys/kernel/shmmni"), "4096\n");
	if (access("/proc/sys/kernel/shmmax", W_OK))
		SKIP("the limits cannot be changed here");
	id = segment(PAGE);
	set_limit("/proc/sys/kernel/shmmax", "8192");
	CHECK_ERR(shmget(IPC_PRIVATE, 8193, 0600), EINVAL);
	set_limit("/proc/sys/kernel/shmall", "1");
	CHECK_ERR(shmget(IPC_PRIVATE, PAGE, 0600), ENOSPC);
	set_limit("/proc/sys/kernel/shmall", "18446744073692774399");
	second = segment(8192);
	set_limit("/proc/sys/kernel/shmmni", "1");
	CHECK_ERR(shmget(IPC_PRIVATE, PAGE, 0600), ENOSPC);
	set_limit("/proc/sys/kernel/shmmni", "4096");
	set_limit("/proc/sys/kernel/shmmax", "18446744073692774399");
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_OK(shmctl(second, IPC_RMID, NULL));
}

TEST_MAIN()
