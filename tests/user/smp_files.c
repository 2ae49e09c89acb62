/* SPDX-License-Identifier: MIT
 *
 * Descriptors, positions, pipes and eventfds used by several threads at once.
 */
#include "crew.h"
#include <poll.h>
#include <sys/eventfd.h>

#define RECORD 64
#define RECORDS 100 /* a writer */

static int ends[2], data_fd;
static atomic_int writers_left;
static atomic_bool over;

/* ---- positions ---- */

#define WORDS 1000

static unsigned char seen[WORDS];

static long read_words(int me UNUSED)
{
	uint32_t word;
	ssize_t n;

	while ((n = read(data_fd, &word, sizeof(word))) == sizeof(word)) {
		if (word >= WORDS)
			return 1;
		__atomic_add_fetch(&seen[word], 1, __ATOMIC_RELAXED);
	}
	return n != 0;
}

TEST(position, "threads that read one open file get each part of it once")
{
	int wrong = 0;

	data_fd = tmp_file(0);
	for (uint32_t i = 0; i < WORDS; i++)
		MUST(write(data_fd, &i, sizeof(i)) == sizeof(i));
	MUST(lseek(data_fd, 0, SEEK_SET) == 0);
	CHECK_EQ(crew(CREW, read_words), 0);
	for (int i = 0; i < WORDS; i++)
		wrong += seen[i] != 1;
	CHECK_EQ(wrong, 0);
	close(data_fd);
}

/* ---- descriptors ---- */

static int two[2];

/* One replaces the descriptor again and again, the others use it: it is never closed in between. */
static long replace_or_use(int me)
{
	char c;
	long bad = 0;

	if (me == 0) {
		for (int i = 0; i < 1000; i++)
			bad += dup2(two[i % 2], data_fd) != data_fd;
		over = true;
		return bad;
	}
	while (!over) {
		ssize_t n = pread(data_fd, &c, 1, 0);

		bad += n != 1 || (c != 'a' && c != 'b');
	}
	return bad;
}

TEST(replaced, "a descriptor that dup2 replaces is always one file or the other")
{
	for (int i = 0; i < 2; i++) {
		two[i] = tmp_file(0);
		MUST(write(two[i], i ? "b" : "a", 1) == 1);
	}
	data_fd = dup(two[0]);
	over = false;
	CHECK_EQ(crew(CREW, replace_or_use), 0);
	close(data_fd);
	close(two[0]);
	close(two[1]);
}

/* Everybody opens and closes: the lowest free descriptor is never given to two. */
static long open_and_close(int me)
{
	static atomic_int owner[1024];
	long bad = 0;

	for (int i = 0; i < 200; i++) {
		int fd = dup(data_fd);

		if (fd < 0 || fd >= 1024 || atomic_exchange(&owner[fd], me + 1))
			return bad + 1;
		if (i % 8 == me)
			sched_yield();
		bad += atomic_exchange(&owner[fd], 0) != me + 1;
		bad += close(fd) != 0;
	}
	return bad;
}

TEST(lowest, "a free descriptor goes to one thread only")
{
	data_fd = tmp_file(0);
	CHECK_EQ(crew(CREW, open_and_close), 0);
	close(data_fd);
}

/* ---- pipes ---- */

/* Half of the crew writes records, half reads them. Returns the sum read minus the sum written. */
static long through_pipe(int me)
{
	unsigned char record[RECORD];
	long sum = 0;
	ssize_t n;

	if (me % 2) {
		for (int i = 0; i < RECORDS; i++) {
			memset(record, me * 16 + i % 16, sizeof(record));
			if (write(ends[1], record, sizeof(record)) != sizeof(record))
				return 1L << 40;
			sum -= record[0];
		}
		if (--writers_left == 0)
			close(ends[1]);
		return sum;
	}
	while ((n = read(ends[0], record, sizeof(record))) == sizeof(record)) {
		for (int i = 1; i < RECORD; i++)
			if (record[i] != record[0])
				return 1L << 40;
		sum += record[0];
	}
	return n ? 1L << 40 : sum;
}

TEST(pipe_, "four writers, four readers, one small pipe: every record arrives whole and once")
{
	for (int round = 0; round < 3; round++) {
		MUST(!pipe(ends));
		MUST(fcntl(ends[1], F_SETPIPE_SZ, PAGE) > 0);
		writers_left = 4;
		CHECK_EQ(crew(8, through_pipe), 0);
		close(ends[0]);
	}
}

static long close_end(int me)
{
	return close(ends[me]) != 0;
}

TEST(both_ends, "both ends of a pipe are closed at the same time, 200 times")
{
	for (int i = 0; i < 200; i++) {
		MUST(!pipe(ends));
		CHECK_EQ(crew(2, close_end), 0);
	}
}

/* ---- waiting for many ---- */

/* Even: takes one at a time after poll() said that there is something. Odd: adds. */
static long count_events(int me)
{
	struct pollfd p = { .fd = data_fd, .events = POLLIN };
	uint64_t n = 1;
	long taken = 0;

	if (me % 2) {
		for (int i = 0; i < RECORDS; i++)
			if (write(data_fd, &n, sizeof(n)) != sizeof(n))
				return 1L << 40;
		writers_left--;
		return -RECORDS;
	}
	for (;;) {
		bool last = !writers_left;

		if (poll(&p, 1, 20) < 0)
			return 1L << 40;
		while (read(data_fd, &n, sizeof(n)) == sizeof(n))
			taken += (long)n;
		if (last)
			return taken;
	}
}

TEST(eventfd_, "what two threads add to an eventfd, two others take, each unit once")
{
	data_fd = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK);
	MUST(data_fd >= 0);
	writers_left = 2;
	CHECK_EQ(crew(4, count_events), 0);
	close(data_fd);
}

/* ---- names ---- */

static long make_same_name(int me)
{
	int fd = open("/tmp/smp-name", O_CREAT | O_EXCL | O_RDWR, 0600);

	(void)me;
	if (fd < 0)
		return errno == EEXIST ? 0 : 100;
	close(fd);
	return 1;
}

static long take_same_name(int me)
{
	(void)me;
	if (!unlink("/tmp/smp-name"))
		return 1;
	return errno == ENOENT ? 0 : 100;
}

TEST(exclusive, "of those that create or remove one name at once, one succeeds, 50 times")
{
	for (int i = 0; i < 50; i++) {
		CHECK_EQ(crew(CREW, make_same_name), 1);
		CHECK_EQ(crew(CREW, take_same_name), 1);
	}
}

TEST_MAIN()
