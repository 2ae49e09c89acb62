/* SPDX-License-Identifier: MIT
 *
 * The random number generator: ChaCha20 (Bernstein 2008; RFC 8439) with fast key erasure
 * (Bernstein, "Fast-key-erasure random-number generators", 2017). Each request makes a fresh
 * stream: the generator's first block gives its next key and the key of the stream, so that what is
 * in memory now tells nothing about earlier output.
 *
 * The seed is RDRAND where the CPU has it, the time-stamp counter between steps whose length
 * varies, and the time of day. Without RDRAND, under an emulator that counts instructions, the
 * numbers are the same in every run: that is wanted there.
 */
#include <arch/random.h>
#include <arch/timer.h>
#include <arch/uaccess.h>
#include <kern/err.h>
#include <kern/park.h>
#include <kern/string.h>
#include <kernel/random.h>
#include <kernel/signal.h>
#include <kernel/syscall.h>
#include <sync/spinlock.h>

#define KEY_WORDS 8
#define BLOCK_WORDS 16
#define BLOCK_BYTES (BLOCK_WORDS * 4)
#define SEED_ROUNDS 16

struct chacha {
	u32 key[KEY_WORDS];
	u64 counter;
};

static struct {
	spinlock_t lock;   /* irqsave */
	bool seeded;	   /* [lock] */
	struct chacha gen; /* [lock] */
} rng;

static u32 rotl(u32 x, int n)
{
	return x << n | x >> (32 - n);
}

static __always_inline void quarter_round(u32 *x, int a, int b, int c, int d)
{
	x[a] += x[b];
	x[d] = rotl(x[d] ^ x[a], 16);
	x[c] += x[d];
	x[b] = rotl(x[b] ^ x[c], 12);
	x[a] += x[b];
	x[d] = rotl(x[d] ^ x[a], 8);
	x[c] += x[d];
	x[b] = rotl(x[b] ^ x[c], 7);
}

/* The next block of the stream. */
static void chacha_block(struct chacha *c, u32 out[BLOCK_WORDS])
{
	u32 in[BLOCK_WORDS] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	int i;

	memcpy(in + 4, c->key, sizeof(c->key));
	in[12] = (u32)c->counter;
	in[13] = (u32)(c->counter >> 32);
	c->counter++;
	memcpy(out, in, sizeof(in));
	for (i = 0; i < 10; i++) {
		quarter_round(out, 0, 4, 8, 12);
		quarter_round(out, 1, 5, 9, 13);
		quarter_round(out, 2, 6, 10, 14);
		quarter_round(out, 3, 7, 11, 15);
		quarter_round(out, 0, 5, 10, 15);
		quarter_round(out, 1, 6, 11, 12);
		quarter_round(out, 2, 7, 8, 13);
		quarter_round(out, 3, 4, 9, 14);
	}
	for (i = 0; i < BLOCK_WORDS; i++)
		out[i] += in[i];
}

/* Mixes words into the key: the new key depends on every bit of both. rng.lock held. */
static void stir(const u32 *words, size_t n)
{
	u32 block[BLOCK_WORDS];
	size_t i;

	for (i = 0; i < n; i++) {
		rng.gen.key[i % KEY_WORDS] ^= words[i];
		if (i % KEY_WORDS == KEY_WORDS - 1 || i == n - 1) {
			chacha_block(&rng.gen, block);
			memcpy(rng.gen.key, block, sizeof(rng.gen.key));
		}
	}
}

static void seed(void)
{
	bool rdrand = arch_has_rdrand();
	u64 sample[KEY_WORDS / 2] = { 0 };
	int i;

	sample[0] = arch_boot_realtime();
	for (i = 0; i < SEED_ROUNDS; i++) {
		sample[1] = arch_cycles();
		if (rdrand && !arch_rdrand(&sample[2]))
			sample[2] = 0;
		sample[3] = clock_ns();
		stir((const u32 *)sample, KEY_WORDS);
	}
	rng.seeded = true;
}

/* A stream of its own for one request. */
static void stream_start(struct chacha *stream)
{
	u32 block[BLOCK_WORDS];
	irqflags_t flags = spin_lock_irqsave(&rng.lock);

	if (unlikely(!rng.seeded))
		seed();
	chacha_block(&rng.gen, block);
	memcpy(rng.gen.key, block, sizeof(rng.gen.key));
	spin_unlock_irqrestore(&rng.lock, flags);
	memcpy(stream->key, block + KEY_WORDS, sizeof(stream->key));
	stream->counter = 0;
}

void random_bytes(void *buf, size_t n)
{
	u32 block[BLOCK_WORDS];
	struct chacha stream;
	char *out = buf;

	stream_start(&stream);
	if (n <= sizeof(stream.key)) {
		/* The stream's key is itself fresh output that nobody else has. */
		memcpy(buf, stream.key, n);
		return;
	}
	while (n) {
		size_t part = min(n, sizeof(block));

		chacha_block(&stream, block);
		memcpy(out, block, part);
		out += part;
		n -= part;
	}
}

/* Numbers that random_u64() has not handed out yet; each is wiped as it goes. */
static struct {
	spinlock_t lock;
	unsigned int left;	      /* [lock] */
	u64 numbers[2 * BLOCK_WORDS]; /* [lock] four blocks: to start a stream costs one, too */
} batch;

u64 random_u64(void)
{
	irqflags_t flags = spin_lock_irqsave(&batch.lock);
	u64 n;

	if (batch.left == 0) {
		random_bytes(batch.numbers, sizeof(batch.numbers));
		batch.left = ARRAY_SIZE(batch.numbers);
	}
	n = batch.numbers[--batch.left];
	batch.numbers[batch.left] = 0;
	spin_unlock_irqrestore(&batch.lock, flags);
	return n;
}

void random_stir(const void *data, size_t n)
{
	u32 words[KEY_WORDS];
	const char *in = data;

	while (n) {
		size_t part = min(n, sizeof(words));
		irqflags_t flags;

		memset(words, 0, sizeof(words));
		memcpy(words, in, part);
		flags = spin_lock_irqsave(&rng.lock);
		if (!rng.seeded)
			seed();
		stir(words, KEY_WORDS);
		spin_unlock_irqrestore(&rng.lock, flags);
		in += part;
		n -= part;
	}
}

ssize_t random_bytes_user(void __user *buf, size_t n)
{
	u32 blocks[4][BLOCK_WORDS];
	struct chacha stream;
	size_t done = 0, i;

	stream_start(&stream);
	while (done < n) {
		size_t part = min(n - done, sizeof(blocks)), left;

		for (i = 0; i * BLOCK_BYTES < part; i++)
			chacha_block(&stream, blocks[i]);
		left = copy_to_user((char __user *)buf + done, blocks, part);
		done += part - left;
		if (left)
			return done ? (ssize_t)done : -EFAULT;
		if (IS_ALIGNED(done, PAGE_SIZE)) { /* at least a page before anybody interrupts */
			cond_resched();
			if (signal_pending(current))
				break;
		}
	}
	return (ssize_t)done;
}

/* ---- getrandom(2) ---- */

#define GRND_NONBLOCK 1u
#define GRND_RANDOM 2u
#define GRND_INSECURE 4u

SYSCALL_DEFINE3(getrandom, void __user *, buf, size_t, n, unsigned int, flags)
{
	if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if ((flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	return random_bytes_user(buf, min(n, 0x7fffffffUL & PAGE_MASK));
}
