/* SPDX-License-Identifier: MIT
 *
 * Scenarios about single pages: "same-page" (all fault one page at the same moment), "cow-fork" (writers
 * against fork), "truncate" (mappings of a file whose size changes).
 */
#ifndef USER_MMRACE_PAGES_H
#define USER_MMRACE_PAGES_H

#include "race.h"

/* ---- same-page: the counter in it is exact only if all of them got the same frame ---- */

static char *same_page;
static int same_file; /* its page is full of SAME_FILL */
static int same_kind;
static bool same_end;

#define SAME_FILL 0x2e2e2e2e2e2e2e2eUL
enum { SAME_ANON, SAME_SHARED, SAME_FILE_PRIVATE, SAME_FILE_SHARED, SAME_READ_FIRST, SAME_KINDS };

static void same_set_up(void)
{
	uint64_t fill[PAGE / 8];

	for (size_t i = 0; i < PAGE / 8; i++)
		fill[i] = SAME_FILL;
	must(!pthread_barrier_init(&meeting, NULL, (unsigned int)nr_workers), "barrier");
	same_page = mmap(NULL, PAGE, PROT_NONE, ANON, -1, 0);
	same_file = memfd_create("same", MFD_CLOEXEC);
	must(same_page != MAP_FAILED && same_file >= 0, "mmap and memfd_create");
	must(pwrite(same_file, fill, PAGE, 0) == PAGE, "pwrite");
}

/* The first worker lays out a new page for all. */
static void same_prepare(struct worker *w)
{
	bool file, shared;

	same_kind = (int)below(w, SAME_KINDS);
	file = same_kind == SAME_FILE_PRIVATE || same_kind == SAME_FILE_SHARED;
	shared = same_kind == SAME_SHARED || same_kind == SAME_FILE_SHARED;
	if (mmap(same_page, PAGE, RW,
		 MAP_FIXED | (shared ? MAP_SHARED : MAP_PRIVATE) | (file ? 0 : MAP_ANONYMOUS),
		 file ? same_file : -1, 0) != same_page)
		fail("mmap: errno %d", errno);
	same_end = stop;
}

static void same_verify(uint64_t before)
{
	uint64_t count = *(volatile uint64_t *)same_page - before;
	uint64_t rest = ((volatile uint64_t *)same_page)[PAGE / 8 - 1];
	bool file = same_kind == SAME_FILE_PRIVATE || same_kind == SAME_FILE_SHARED;

	if (count != (uint64_t)nr_workers * 4)
		fail("%d workers counted to %lu in one page (kind %d)", nr_workers,
		     (unsigned long)count, same_kind);
	if (rest != (file ? SAME_FILL : 0))
		fail("the page's last word is %#lx (kind %d)", (unsigned long)rest, same_kind);
	for (int i = 0; i < nr_workers; i++)
		check_tag(*word_of(same_page, i), i, same_kind);
	if (same_kind == SAME_FILE_SHARED) /* as it was, for the next time */
		*(volatile uint64_t *)same_page = SAME_FILL;
}

static void same_work(struct worker *w)
{
	for (;;) {
		uint64_t before, value = 0;

		if (!w->index)
			same_prepare(w);
		pthread_barrier_wait(&meeting);
		if (same_end)
			return;
		before = same_kind == SAME_FILE_PRIVATE || same_kind == SAME_FILE_SHARED ? SAME_FILL
											 : 0;
		if (same_kind == SAME_READ_FIRST && one_in(w, 2))
			try_load((volatile uint64_t *)same_page, &value);
		for (int i = 0; i < 4; i++)
			__atomic_add_fetch((uint64_t *)same_page, 1, __ATOMIC_RELAXED);
		*word_of(same_page, w->index) = tag(w->index, (unsigned int)same_kind);
		pthread_barrier_wait(&meeting);
		if (!w->index)
			same_verify(before);
		step(w);
		pthread_barrier_wait(&meeting);
	}
}

/* ---- cow-fork: what is written after fork() stays where it was written ---- */

#define COW_PAGES 12
static char *cow_area;

static void cow_set_up(void)
{
	cow_area = mmap(NULL, COW_PAGES * PAGE, RW, ANON, -1, 0);
	must(cow_area != MAP_FAILED, "mmap");
}

/* In a child of one of many threads: system calls and memory only. */
__attribute__((noreturn)) static void cow_child(const uint64_t *mine, int index)
{
	static uint64_t copy[COW_PAGES * PAGE / 8];

	for (unsigned int i = 0; i < COW_PAGES; i++)
		if (*word_of(cow_area + i * PAGE, index) != mine[i])
			fail("a child sees %#lx in page %u where its thread wrote %#lx",
			     (unsigned long)*word_of(cow_area + i * PAGE, index), i,
			     (unsigned long)mine[i]);
	memcpy(copy, cow_area, sizeof(copy));
	for (int i = 0; i < 4; i++) {
		sched_yield();
		if (memcmp(copy, cow_area, sizeof(copy)))
			fail("a child's memory changes under its hands");
	}
	memset(cow_area, 0xcc, COW_PAGES * PAGE); /* nobody else may see this */
	_exit(0);
}

static void cow_fork(struct worker *w, const uint64_t *mine)
{
	int status;
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (!pid)
		cow_child(mine, w->index);
	must(waitpid(pid, &status, 0) == pid, "waitpid");
	if (status)
		fail("a child ended with status %#x", (unsigned int)status);
}

static void cow_work(struct worker *w)
{
	uint64_t mine[COW_PAGES] = { 0 };
	unsigned int forks = w->index % 2 ? 400 : 40;

	do {
		unsigned int i = below(w, COW_PAGES);
		volatile uint64_t *p = word_of(cow_area + i * PAGE, w->index);

		if (*p != mine[i])
			fail("page %u holds %#lx where this worker alone writes, and wrote %#lx", i,
			     (unsigned long)*p, (unsigned long)mine[i]);
		*p = ++mine[i];
		if (one_in(w, forks))
			cow_fork(w, mine);
	} while (step(w));
}

/* ---- truncate: a file's pages go while they are mapped, faulted in, read and written ---- */

#define FILE_PAGES 24
static char *file_view[2]; /* shared, private */
static int file_fd;

static void truncate_set_up(void)
{
	file_fd = memfd_create("truncate", MFD_CLOEXEC);
	must(file_fd >= 0 && !ftruncate(file_fd, FILE_PAGES * PAGE), "memfd_create");
	for (int i = 0; i < 2; i++) {
		file_view[i] =
			mmap(NULL, FILE_PAGES * PAGE, RW, i ? MAP_PRIVATE : MAP_SHARED, file_fd, 0);
		must(file_view[i] != MAP_FAILED, "mmap");
	}
}

static void truncate_view(struct worker *w)
{
	int private = one_in(w, 3);
	unsigned int page = below(w, FILE_PAGES);
	int other = (int)below(w, (unsigned int)nr_workers);
	char *p = file_view[private] + page * PAGE;
	uint64_t value;
	int sig = try_load(word_of(p, other), &value);

	if (!sig)
		check_tag(value, other, (int)page);
	else if (sig != SIGBUS)
		fail("signal %d in a mapping of a file", sig);
	sig = try_store(word_of(p, w->index), tag(w->index, page));
	if (sig && sig != SIGBUS)
		fail("signal %d in a mapping of a file", sig);
}

static void truncate_file(struct worker *w)
{
	unsigned int page = below(w, FILE_PAGES), n = 1 + below(w, 4);
	uint64_t value = tag(w->index, page);
	off_t at = page * PAGE + ((char *)word_of(NULL, w->index) - (char *)NULL);

	switch (below(w, 6)) {
	case 0:
		must(!ftruncate(file_fd, (off_t)(below(w, FILE_PAGES + 1) * PAGE)), "ftruncate");
		break;
	case 1:
		must(!ftruncate(file_fd, FILE_PAGES * PAGE), "ftruncate");
		break;
	case 2:
		must(!fallocate(file_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(off_t)(page * PAGE), (off_t)(n * PAGE)),
		     "fallocate");
		break;
	case 3:
		must(pwrite(file_fd, &value, 8, at) == 8, "pwrite");
		break;
	case 4:
		value = 0;
		must(pread(file_fd, &value, 8, at) >= 0, "pread");
		check_tag(value, w->index, (int)page);
		break;
	case 5:
		may(madvise(file_view[one_in(w, 2)] + page * PAGE, PAGE, MADV_DONTNEED), 0, 0,
		    "MADV_DONTNEED");
		break;
	}
}

static void truncate_work(struct worker *w)
{
	do {
		if (one_in(w, 4))
			truncate_file(w);
		else
			truncate_view(w);
	} while (step(w));
}

#endif
