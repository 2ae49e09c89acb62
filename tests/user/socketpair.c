/* SPDX-License-Identifier: MIT
 *
 * socketpair(): a two-way pipe, as a stream or in messages; its end, its limits, send() and recv().
 */
#include "test.h"
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

static void make_pair(int type, int s[2])
{
	MUST(!socketpair(AF_UNIX, type, 0, s));
}

static void close_pair(const int s[2])
{
	close(s[0]);
	close(s[1]);
}

TEST(both_ways, "bytes go both ways, in order, and a stream has no message boundaries")
{
	char buf[16];
	int s[2];

	make_pair(SOCK_STREAM, s);
	CHECK_EQ(write(s[0], "hello", 5), 5);
	CHECK_EQ(write(s[0], "world", 5), 5);
	CHECK_EQ(write(s[1], "back", 4), 4);
	CHECK_EQ(read(s[1], buf, 7), 7);
	CHECK_EQ(memcmp(buf, "hellowo", 7), 0);
	CHECK_EQ(read(s[1], buf, sizeof(buf)), 3);
	CHECK_EQ(memcmp(buf, "rld", 3), 0);
	CHECK_EQ(read(s[0], buf, sizeof(buf)), 4);
	CHECK_EQ(memcmp(buf, "back", 4), 0);
	close_pair(s);
}

TEST(messages, "SOCK_SEQPACKET keeps messages apart; what does not fit the reader is lost")
{
	struct iovec iov[] = { { "ab", 2 }, { "cde", 3 } };
	char buf[16];
	int s[2];

	make_pair(SOCK_SEQPACKET, s);
	CHECK_EQ(write(s[0], "hello", 5), 5);
	CHECK_EQ(writev(s[0], iov, 2), 5);
	CHECK_EQ(write(s[0], "tail", 4), 4);
	CHECK_EQ(read(s[1], buf, 2), 2);
	CHECK_EQ(read(s[1], buf, sizeof(buf)), 5);
	CHECK_EQ(memcmp(buf, "abcde", 5), 0);
	CHECK_EQ(read(s[1], buf, sizeof(buf)), 4);
	close_pair(s);
}

TEST(large_message, "a message of many pages arrives whole; one beyond the buffer is EMSGSIZE")
{
	static char out[150000], in[200000], huge[300000];
	int s[2];

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 7 + (i >> 12));
	make_pair(SOCK_SEQPACKET, s);
	CHECK_EQ(write(s[0], out, sizeof(out)), (ssize_t)sizeof(out));
	CHECK_EQ(read(s[1], in, sizeof(in)), (ssize_t)sizeof(out));
	CHECK_EQ(memcmp(in, out, sizeof(out)), 0);
	CHECK_ERR(write(s[0], huge, sizeof(huge)), EMSGSIZE);
	close_pair(s);
}

TEST(end, "the other end closed: what it wrote, then end of file; writing is EPIPE")
{
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET };
	char buf[8];
	int s[2];

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 2; i++) {
		make_pair(types[i], s);
		MUST(write(s[0], "last", 4) == 4);
		close(s[0]);
		CHECK_EQ(read(s[1], buf, sizeof(buf)), 4);
		CHECK_EQ(read(s[1], buf, sizeof(buf)), 0);
		CHECK_EQ(read(s[1], buf, sizeof(buf)), 0);
		CHECK_ERR(write(s[1], "x", 1), EPIPE);
		close(s[1]);
	}
	signal(SIGPIPE, SIG_DFL);
}

static int writer_status(int type, int flags)
{
	int s[2];
	pid_t pid = fork_checked();

	if (!pid) {
		make_pair(type, s);
		close(s[0]);
		_exit(send(s[1], "x", 1, flags) < 0 && errno == EPIPE);
	}
	return wait_for(pid);
}

TEST(sigpipe, "EPIPE on a stream brings SIGPIPE, unless MSG_NOSIGNAL; on messages it does not")
{
	CHECK_EQ(WTERMSIG(writer_status(SOCK_STREAM, 0)), SIGPIPE);
	CHECK_EQ(WEXITSTATUS(writer_status(SOCK_STREAM, MSG_NOSIGNAL)), 1);
	CHECK_EQ(WEXITSTATUS(writer_status(SOCK_SEQPACKET, 0)), 1);
}

TEST(reset, "closed with unread data: the other end reads ECONNRESET once, then end of file")
{
	char c;
	int s[2];

	make_pair(SOCK_STREAM, s);
	MUST(write(s[0], "unread", 6) == 6);
	close(s[1]);
	CHECK_ERR(read(s[0], &c, 1), ECONNRESET);
	CHECK_EQ(read(s[0], &c, 1), 0);
	close(s[0]);
}

TEST(nonblock, "empty: EAGAIN; a full stream takes what fits, then EAGAIN, and again after a read")
{
	static char block[65536];
	ssize_t total = 0, n;
	char c;
	int s[2];

	make_pair(SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, s);
	CHECK_EQ(fcntl(s[0], F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(s[0], F_GETFL), O_RDWR | O_NONBLOCK);
	CHECK_ERR(read(s[0], &c, 1), EAGAIN);
	while ((n = write(s[0], block, sizeof(block))) > 0)
		total += n;
	CHECK_ERR(write(s[0], block, 1), EAGAIN);
	CHECK(total >= 65536 && total <= 1 << 20);
	while (total > 0 && (n = read(s[1], block, sizeof(block))) > 0)
		total -= n;
	CHECK_EQ(total, 0);
	CHECK_EQ(write(s[0], block, 4096), 4096);
	close_pair(s);
}

TEST(dontwait, "MSG_DONTWAIT is O_NONBLOCK for one call")
{
	char c;
	int s[2];

	make_pair(SOCK_SEQPACKET, s);
	CHECK_ERR(recv(s[0], &c, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(send(s[1], "m", 1, 0), 1);
	CHECK_EQ(recv(s[0], &c, 1, 0), 1);
	close_pair(s);
}

#define BULK (4 << 20)

static void *send_bulk(void *arg)
{
	static char block[10000];
	int fd = *(int *)arg;

	for (size_t sent = 0; sent < BULK;) {
		size_t n = BULK - sent < sizeof(block) ? BULK - sent : sizeof(block);

		for (size_t i = 0; i < n; i++)
			block[i] = (char)((sent + i) * 31 >> 3);
		if (write(fd, block, n) != (ssize_t)n)
			return arg;
		sent += n;
	}
	shutdown(fd, SHUT_WR);
	return NULL;
}

TEST(bulk, "4 MiB through a stream: the writer waits for room, SHUT_WR is the end of the data")
{
	static char block[7777];
	size_t got = 0, wrong = 0;
	pthread_t t;
	void *ret;
	ssize_t n;
	int s[2];

	make_pair(SOCK_STREAM, s);
	MUST(!pthread_create(&t, NULL, send_bulk, &s[0]));
	while ((n = read(s[1], block, sizeof(block))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			wrong += block[i] != (char)((got + (size_t)i) * 31 >> 3);
		got += (size_t)n;
	}
	CHECK_EQ(n, 0);
	CHECK_EQ(got, BULK);
	CHECK_EQ(wrong, 0);
	pthread_join(t, &ret);
	CHECK(!ret);
	CHECK_EQ(write(s[1], "back", 4), 4); /* the other way is still open */
	CHECK_EQ(read(s[0], block, sizeof(block)), 4);
	close_pair(s);
}

TEST(poll, "POLLIN with data, POLLOUT with room, POLLHUP when the other end is gone")
{
	struct pollfd p = { .events = POLLIN | POLLOUT | POLLRDHUP };
	char c;
	int s[2];

	make_pair(SOCK_STREAM, s);
	p.fd = s[0];
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLOUT);
	MUST(write(s[1], "x", 1) == 1);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN | POLLOUT);
	MUST(read(s[0], &c, 1) == 1);
	MUST(!shutdown(s[1], SHUT_WR));
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN | POLLOUT | POLLRDHUP);
	close(s[1]);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
	close(s[0]);
}

TEST(as_file, "what fstat, lseek, readlink, FIONREAD and a second open say of it")
{
	char link[64], path[32];
	struct stat st;
	int s[2], n;

	make_pair(SOCK_STREAM, s);
	CHECK(!fstat(s[0], &st));
	CHECK_EQ(st.st_mode, S_IFSOCK | 0777);
	CHECK_ERR(lseek(s[0], 0, SEEK_SET), ESPIPE);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s[0]);
	CHECK_EQ(readlink(path, link, sizeof(link)) > 8, 1);
	CHECK_EQ(memcmp(link, "socket:[", 8), 0);
	CHECK_ERR(open(path, O_RDWR), ENXIO);
	MUST(write(s[0], "abc", 3) == 3);
	CHECK_EQ(ioctl(s[1], FIONREAD, &n), 0);
	CHECK_EQ(n, 3);
	close_pair(s);
}

TEST(errors,
     "families, types, protocols and flags that do not exist, and descriptors that are no sockets")
{
	int s[2], p[2];
	char c;

	CHECK_ERR(socketpair(AF_UNIX, SOCK_STREAM | 0x100, 0, s), EINVAL);
	CHECK_ERR(socketpair(99, SOCK_STREAM, 0, s), EAFNOSUPPORT);
	CHECK_ERR(socketpair(AF_UNIX, 9, 0, s), ESOCKTNOSUPPORT);
	CHECK_ERR(socketpair(AF_UNIX, SOCK_STREAM, 77, s), EPROTONOSUPPORT);
	CHECK_EQ(SYS(socketpair, AF_UNIX, SOCK_STREAM, 0, 16), -EFAULT);
	MUST(!pipe(p));
	CHECK_ERR(send(p[1], "x", 1, 0), ENOTSOCK);
	CHECK_ERR(recv(p[0], &c, 1, 0), ENOTSOCK);
	CHECK_ERR(shutdown(p[0], SHUT_RD), ENOTSOCK);
	CHECK_ERR(send(77, "x", 1, 0), EBADF);
	close_pair(p);
	make_pair(SOCK_STREAM, s);
	CHECK_ERR(shutdown(s[0], 3), EINVAL);
	CHECK_EQ(SYS(write, s[0], 16, 1), -EFAULT);
	MUST(write(s[0], "x", 1) == 1);
	CHECK_EQ(SYS(read, s[1], 16, 1), -EFAULT);
	close_pair(s);
}

TEST(shut_rd, "SHUT_RD: reads what is there, then end of file; the other end's writes are EPIPE")
{
	char c;
	int s[2];

	signal(SIGPIPE, SIG_IGN);
	make_pair(SOCK_STREAM, s);
	MUST(write(s[1], "x", 1) == 1);
	CHECK_EQ(shutdown(s[0], SHUT_RD), 0);
	CHECK_EQ(read(s[0], &c, 1), 1);
	CHECK_EQ(read(s[0], &c, 1), 0);
	CHECK_ERR(write(s[1], "x", 1), EPIPE);
	close_pair(s);
	signal(SIGPIPE, SIG_DFL);
}

TEST_MAIN()
