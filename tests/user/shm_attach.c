/* SPDX-License-Identifier: MIT
 *
 * shmat() and shmdt(): where a segment is mapped and how, and how many mappings it counts.
 */
#include "shm.h"

static int id;
static char *p;

/* A segment of three pages, attached once, that ends with the program. */
static void begin(void)
{
	id = segment(3 * PAGE);
	p = attach(id, NULL, 0);
	MUST(!shmctl(id, IPC_RMID, NULL));
}

FORKED_TEST(shared, "two attaches and a child show the same pages")
{
	char *q;

	begin();
	q = attach(id, NULL, 0);
	CHECK(p != q);
	store(p + PAGE, 1);
	CHECK_EQ(load(q + PAGE), 1);
	IN_CHILD
	{
		store(q, 2);
	}
	CHECK_EQ(load(p), 2);
	CHECK_EQ(load(p + 2 * PAGE), 0);
}

FORKED_TEST(place, "an address is taken as it is, rounded down with SHM_RND, refused when in use")
{
	char *at = free_area(4);

	begin();
	CHECK(attach(id, at, 0) == at);
	CHECK_EQ(SYS(shmat, id, at, 0), -EINVAL);
	CHECK_EQ(SYS(shmat, id, at + 2 * PAGE, 0), -EINVAL);
	CHECK(attach(id, at, SHM_REMAP) == at);
	CHECK_EQ(nattch(id), 2);
	MUST(!shmdt(at));
	CHECK_EQ(SYS(shmat, id, at + 5, 0), -EINVAL);
	CHECK(attach(id, at + 5, SHM_RND) == at);
	CHECK_EQ(SYS(shmat, id, 0, SHM_REMAP), -EINVAL);
	CHECK_EQ(SYS(shmat, id, 5, SHM_REMAP | SHM_RND), -EINVAL);
	CHECK_EQ(SYS(shmat, -1, 0, 0), -EINVAL);
	CHECK_EQ(SYS(shmat, id, USER_LIMIT - PAGE, 0), -ENOMEM);
	CHECK_EQ(SYS(shmat, id, -(3 * PAGE), 0), -EINVAL);
}

FORKED_TEST(rights, "SHM_RDONLY and SHM_EXEC: the mapping's rights, and what mprotect may add")
{
	char *q;

	begin();
	CHECK_STR(perms_at(p), "rw-s");
	q = attach(id, NULL, SHM_RDONLY);
	CHECK_STR(perms_at(q), "r--s");
	CHECK_ERR(mprotect(q, PAGE, RW), EACCES);
	CHECK_OK(mprotect(p, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
	CHECK_STR(perms_at(attach(id, NULL, SHM_EXEC)), "rwxs");
	CHECK_STR(perms_at(attach(id, NULL, SHM_EXEC | SHM_RDONLY)), "r-xs");
}

FORKED_TEST(name, "maps shows /SYSV, the key and the id")
{
	int key = free_key(), named = shmget(key, PAGE, 0600 | IPC_CREAT);
	char want[40];
	struct map m;

	begin();
	MUST(map_find(p, &m));
	CHECK_STR(m.name, "/SYSV00000000 (deleted)");
	CHECK_EQ(m.inode, id);
	CHECK_EQ(m.end - m.start, 3 * PAGE);
	p = attach(named, NULL, 0);
	MUST(!shmctl(named, IPC_RMID, NULL) && map_find(p, &m));
	snprintf(want, sizeof(want), "/SYSV%08x (deleted)", key);
	CHECK_STR(m.name, want);
}

FORKED_TEST(tail, "the last page can be used to its end, and there is nothing behind it")
{
	id = segment(PAGE + 1);
	p = attach(id, NULL, 0);
	MUST(!shmctl(id, IPC_RMID, NULL));
	store(p + 2 * PAGE - 1, 7);
	CHECK_EQ(load(p + 2 * PAGE - 1), 7);
	CHECK(mremap(p, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE) != MAP_FAILED);
}

FORKED_TEST(detach, "shmdt takes the start of an attach; anything else is EINVAL")
{
	begin();
	CHECK_ERR(shmdt(p + PAGE), EINVAL);
	CHECK_ERR(shmdt(p + 1), EINVAL);
	MUST(!shmctl(id, IPC_STAT, &(struct shmid_ds){ 0 }));
	CHECK_OK(shmdt(p));
	CHECK_ERR(shmdt(p), EINVAL);
	CHECK_ERR(shmctl(id, IPC_STAT, &(struct shmid_ds){ 0 }), EINVAL);
	CHECK_ERR(shmdt(map_anon(PAGE, RW)), EINVAL);
}

FORKED_TEST(detach_parts, "shmdt finds what is left of an attach that was cut")
{
	begin();
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_EQ(nattch(id), 2);
	CHECK_OK(shmdt(p));
	CHECK_EQ(maps_in(p, 3 * PAGE), 0);
}

FORKED_TEST(detach_later, "shmdt of an attach whose first page is gone takes the rest")
{
	begin();
	CHECK_OK(munmap(p, PAGE));
	CHECK_EQ(nattch(id), 1);
	CHECK_OK(shmdt(p));
	CHECK_EQ(maps_in(p, 3 * PAGE), 0);
}

FORKED_TEST(count_split,
	    "nattch counts mappings: a split is one more, and merging does not take it back")
{
	begin();
	CHECK_EQ(nattch(id), 1);
	CHECK_OK(mprotect(p, PAGE, PROT_READ));
	CHECK_EQ(nattch(id), 2);
	CHECK_OK(mprotect(p, PAGE, RW));
	CHECK_EQ(nattch(id), 2);
	CHECK_EQ(maps_in(p, 3 * PAGE), 2);
	CHECK_OK(munmap(p, PAGE));
	CHECK_EQ(nattch(id), 1);
}

FORKED_TEST(count_move, "mremap moves and grows an attach without counting it twice")
{
	char *q;

	begin();
	q = mremap(p, 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, free_area(8));
	MUST(q != MAP_FAILED);
	CHECK_EQ(nattch(id), 1);
	q = mremap(q, 3 * PAGE, 6 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED);
	CHECK_EQ(nattch(id), 1);
	CHECK(mremap(q, 0, PAGE, MREMAP_MAYMOVE) != MAP_FAILED);
	CHECK_EQ(nattch(id), 2);
	CHECK_OK(shmdt(q));
	CHECK_EQ(nattch(id), 1);
}

FORKED_TEST(count_fork, "a child attaches with its parent and detaches when it exits or executes")
{
	int to_child[2], to_parent[2];
	char c = 0;

	begin();
	MUST(!pipe(to_child) && !pipe(to_parent));
	pid_t pid = fork_checked();

	if (!pid) {
		CHECK_EQ(nattch(id), 2);
		MUST(write(to_parent[1], "x", 1) == 1 && read(to_child[0], &c, 1) == 1);
		execl("/proc/self/exe", "shm_attach", "nothing", (char *)NULL);
		_exit(1);
	}
	MUST(read(to_parent[0], &c, 1) == 1);
	CHECK_EQ(nattch(id), 2);
	CHECK_EQ(shm_stat_of(id).shm_lpid, getpid());
	MUST(write(to_child[1], "x", 1) == 1);
	CHECK_EQ(wait_for(pid), 0);
	CHECK_EQ(nattch(id), 1);
	CHECK_EQ(shm_stat_of(id).shm_lpid, pid);
	CHECK(shm_stat_of(id).shm_dtime > 0);
}

FORKED_TEST(killed, "SIGKILL detaches, and the segment's memory is given back")
{
	char c;
	int fds[2];
	pid_t pid;

	id = segment(3 * PAGE);
	MUST(!pipe(fds));
	pid = fork_checked();
	if (!pid) {
		p = attach(id, NULL, 0);
		store(p, 1);
		MUST(!shmctl(id, IPC_RMID, NULL) && write(fds[1], "x", 1) == 1);
		for (;;)
			pause();
	}
	MUST(read(fds[0], &c, 1) == 1);
	CHECK_EQ(nattch(id), 1);
	MUST(!kill(pid, SIGKILL));
	(void)wait_for(pid);
	CHECK_ERR(shmctl(id, IPC_STAT, &(struct shmid_ds){ 0 }), EINVAL);
}

FORKED_TEST(limit, "an attach counts against RLIMIT_AS")
{
	struct rlimit rl;

	begin();
	MUST(!getrlimit(RLIMIT_AS, &rl));
	rl.rlim_cur = PAGE;
	MUST(!setrlimit(RLIMIT_AS, &rl));
	CHECK_EQ(SYS(shmat, id, 0, 0), -ENOMEM);
	CHECK_EQ(nattch(id), 1);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "nothing")) /* what count_fork's child executes */
		return 0;
	return run_tests();
}
