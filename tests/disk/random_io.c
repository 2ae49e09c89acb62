/* SPDX-License-Identifier: MIT
 *
 * random_io DEVICE BLOCKS ROUNDS: four processes write and read pieces of a disk at random, each in blocks of its
 * own, and check what they read. Block b ends up with words that tell b and how often it was written; every
 * block has been written when the program ends with 0. tests/test_disk.py looks at the image afterwards.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES 4
#define BLOCK 1536 /* no divisor of a page */
#define WORDS (BLOCK / 8)

static uint64_t word(uint64_t block, uint64_t version, unsigned int i)
{
	return (block << 32 | version << 16 | i) * 0x9e3779b97f4a7c15ULL;
}

static void die(const char *what, unsigned int block)
{
	printf("block %u: %s: %s\n", block, what, strerror(errno));
	exit(1);
}

static void write_block(int fd, unsigned int block, unsigned int version)
{
	uint64_t data[WORDS];

	for (unsigned int i = 0; i < WORDS; i++)
		data[i] = word(block, version, i);
	if (pwrite(fd, data, BLOCK, (off_t)block * BLOCK) != BLOCK)
		die("write", block);
}

static void check_block(int fd, unsigned int block, unsigned int version)
{
	uint64_t data[WORDS];

	if (pread(fd, data, BLOCK, (off_t)block * BLOCK) != BLOCK)
		die("read", block);
	for (unsigned int i = 0; i < WORDS; i++)
		if (data[i] != word(block, version, i))
			die("other contents", block);
}

static int work(const char *path, unsigned int me, unsigned int blocks, unsigned int rounds)
{
	unsigned int *versions = calloc(blocks, sizeof(*versions));
	int fd = open(path, O_RDWR);
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(me, &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu); /* there may be fewer */
	srand(me + 1);
	if (fd < 0 || !versions)
		die("open", 0);
	for (unsigned int i = 0; i < rounds; i++) {
		unsigned int block = (unsigned int)rand() % (blocks / PROCESSES) * PROCESSES + me;

		if (!versions[block] || rand() % 2)
			write_block(fd, block, ++versions[block]);
		else
			check_block(fd, block, versions[block]);
		if (rand() % 64 == 0)
			posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		if (rand() % 256 == 0 && fsync(fd))
			die("fsync", block);
	}
	for (unsigned int block = me; block < blocks; block += PROCESSES) {
		if (!versions[block])
			write_block(fd, block, ++versions[block]);
		check_block(fd, block, versions[block]);
	}
	return fsync(fd) ? (perror("fsync"), 1) : 0;
}

int main(int argc, char **argv)
{
	int status, bad = 0;

	if (argc != 4)
		return 2;
	for (unsigned int me = 0; me < PROCESSES; me++)
		if (fork() == 0)
			return work(argv[1], me, (unsigned int)atoi(argv[2]),
				    (unsigned int)atoi(argv[3]));
	while (wait(&status) > 0)
		bad |= status != 0;
	return bad;
}
