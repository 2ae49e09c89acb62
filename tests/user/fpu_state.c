/* SPDX-License-Identifier: MIT
 *
 * x87, SSE and AVX registers survive context switches, signals, fork; a new program starts clean.
 */
#include "elf_image.h"
#include <cpuid.h>

static bool have_avx(void)
{
	unsigned int a, b, c, d;

	return __get_cpuid(1, &a, &b, &c, &d) && (c & 1U << 28) && (c & 1U << 27);
}

/* Fills xmm0-15 with n, waits, counts registers that changed. Returns the count. */
static int sse_round(unsigned long n, long (*wait)(void))
{
	unsigned long in[32], out[32];
	int wrong = 0;

	for (int i = 0; i < 32; i++)
		in[i] = n * 1000003 + i;
	__asm__ volatile(
		"movdqu 0(%0), %%xmm0\n\tmovdqu 16(%0), %%xmm1\n\tmovdqu 32(%0), %%xmm2\n\t"
		"movdqu 48(%0), %%xmm3\n\tmovdqu 64(%0), %%xmm4\n\tmovdqu 80(%0), %%xmm5\n\t"
		"movdqu 96(%0), %%xmm6\n\tmovdqu 112(%0), %%xmm7\n\tmovdqu 128(%0), %%xmm8\n\t"
		"movdqu 144(%0), %%xmm9\n\tmovdqu 160(%0), %%xmm10\n\tmovdqu 176(%0), %%xmm11\n\t"
		"movdqu 192(%0), %%xmm12\n\tmovdqu 208(%0), %%xmm13\n\tmovdqu 224(%0), %%xmm14\n\t"
		"movdqu 240(%0), %%xmm15\n\t"
		/* Below the red zone, which may hold the arrays' neighbours. */
		"sub $128, %%rsp\n\tpush %0\n\tpush %1\n\tcall *%2\n\tpop %1\n\tpop %0\n\tadd $128, %%rsp\n\t"
		"movdqu %%xmm0, 0(%1)\n\tmovdqu %%xmm1, 16(%1)\n\tmovdqu %%xmm2, 32(%1)\n\t"
		"movdqu %%xmm3, 48(%1)\n\tmovdqu %%xmm4, 64(%1)\n\tmovdqu %%xmm5, 80(%1)\n\t"
		"movdqu %%xmm6, 96(%1)\n\tmovdqu %%xmm7, 112(%1)\n\tmovdqu %%xmm8, 128(%1)\n\t"
		"movdqu %%xmm9, 144(%1)\n\tmovdqu %%xmm10, 160(%1)\n\tmovdqu %%xmm11, 176(%1)\n\t"
		"movdqu %%xmm12, 192(%1)\n\tmovdqu %%xmm13, 208(%1)\n\tmovdqu %%xmm14, 224(%1)\n\t"
		"movdqu %%xmm15, 240(%1)"
		:
		: "b"(in), "r"(out), "r"(wait)
		: "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc",
		  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
		  "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	for (int i = 0; i < 32; i++)
		wrong += in[i] != out[i];
	return wrong;
}

/* Waits that use no vector register themselves. */
static long wait_yield(void)
{
	return raw_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

static long wait_spin(void)
{
	for (unsigned long i = 0; i < 3000000; i++)
		__asm__ volatile("");
	return 0;
}

static volatile int hits;

/* Destroys every vector register. */
static void handler(int sig UNUSED)
{
	hits++;
	__asm__ volatile(
		"pcmpeqd %%xmm0, %%xmm0\n\tmovdqa %%xmm0, %%xmm1\n\tmovdqa %%xmm0, %%xmm7\n\t"
		"movdqa %%xmm0, %%xmm8\n\tmovdqa %%xmm0, %%xmm15\n\tfninit\n\tfld1"
		:
		:
		: "xmm0", "xmm1", "xmm7", "xmm8", "xmm15");
}

static long wait_signal(void)
{
	return raw_syscall(SYS_kill, raw_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0), SIGUSR1, 0, 0, 0,
			   0);
}

TEST(switches, "SSE registers across switches between two processes, by yield and by preemption")
{
	pid_t pids[2];

	for (int k = 0; k < 2; k++) {
		pids[k] = fork_checked();
		if (!pids[k]) {
			int wrong = 0;

			for (int i = 0; i < 200; i++)
				wrong += sse_round(k * 1000 + i, wait_yield);
			for (int i = 0; i < 8; i++)
				wrong += sse_round(k * 1000 + i, wait_spin);
			_exit(wrong ? 1 : 0);
		}
	}
	CHECK_EQ(wait_for(pids[0]), 0);
	CHECK_EQ(wait_for(pids[1]), 0);
}

TEST(signals, "SSE registers across a signal handler that destroys them")
{
	signal(SIGUSR1, handler);
	hits = 0;
	CHECK_EQ(sse_round(7, wait_signal), 0);
	CHECK_EQ(hits, 1);
	signal(SIGUSR1, SIG_DFL);
}

TEST(x87, "the x87 stack and control word across a signal and a system call")
{
	unsigned short cw = 0x77f, got = 0; /* round up */
	double top = 0, in = 3.25;

	signal(SIGUSR1, handler);
	__asm__ volatile("fninit\n\tfldcw %1\n\tfldl %2" : "=m"(top) : "m"(cw), "m"(in));
	wait_signal();
	wait_yield();
	__asm__ volatile("fnstcw %0\n\tfstpl %1\n\tfninit" : "=m"(got), "=m"(top));
	CHECK_EQ(got, cw);
	CHECK(top == 3.25);
	signal(SIGUSR1, SIG_DFL);
}

TEST(mxcsr, "MXCSR across a switch, and inherited by fork")
{
	unsigned int set = 0x9f80, got = 0, clean = 0x1f80; /* flush to zero */

	__asm__ volatile("ldmxcsr %0" : : "m"(set));
	wait_yield();
	pid_t pid = fork_checked();

	if (!pid) {
		__asm__ volatile("stmxcsr %0" : "=m"(got));
		_exit(got != set);
	}
	int status = wait_for(pid);

	__asm__ volatile("stmxcsr %0" : "=m"(got));
	__asm__ volatile("ldmxcsr %0" : : "m"(clean));
	CHECK_EQ(status, 0);
	CHECK_EQ(got, set);
}

__attribute__((target("avx"))) static int avx_round(unsigned long n, bool use_signal)
{
	unsigned long in[8], out[8];
	int wrong = 0;

	for (int i = 0; i < 8; i++)
		in[i] = n * 77777 + i;
	__asm__ volatile("vmovdqu 0(%0), %%ymm3\n\tvmovdqu 32(%0), %%ymm14"
			 :
			 : "r"(in)
			 : "xmm3", "xmm14", "memory");
	if (use_signal)
		wait_signal();
	else
		wait_yield();
	__asm__ volatile("vmovdqu %%ymm3, 0(%0)\n\tvmovdqu %%ymm14, 32(%0)\n\tvzeroupper"
			 :
			 : "r"(out)
			 : "memory");
	for (int i = 0; i < 8; i++)
		wrong += in[i] != out[i];
	return wrong;
}

TEST(avx, "upper halves of AVX registers across switches and signals")
{
	if (!have_avx())
		SKIP("the CPU or the kernel has no AVX");
	signal(SIGUSR1, handler);
	CHECK_EQ(avx_round(1, true), 0);
	pid_t pids[2];

	for (int k = 0; k < 2; k++) {
		pids[k] = fork_checked();
		if (!pids[k]) {
			int wrong = 0;

			for (int i = 0; i < 200; i++)
				wrong += avx_round(k * 5000 + i, false);
			_exit(wrong ? 1 : 0);
		}
	}
	CHECK_EQ(wait_for(pids[0]), 0);
	CHECK_EQ(wait_for(pids[1]), 0);
	signal(SIGUSR1, SIG_DFL);
}

static volatile unsigned long seen_xmm5;
static volatile bool seen_fp;

/* uc_mcontext.fpregs points to the FXSAVE image; the xmm registers are at 160. */
static void look(int sig UNUSED, siginfo_t *si UNUSED, void *context)
{
	ucontext_t *uc = context;
	char *fp = (char *)uc->uc_mcontext.fpregs;

	seen_fp = fp != NULL;
	if (fp)
		memcpy((void *)&seen_xmm5, fp + 160 + 16 * 5, 8);
}

TEST(frame, "the floating-point state is in the signal frame")
{
	struct sigaction sa = { .sa_sigaction = look, .sa_flags = SA_SIGINFO };

	MUST(!sigaction(SIGUSR1, &sa, NULL));
	unsigned long in = 0xabcdef0123456789;

	__asm__ volatile("movq %0, %%xmm5" : : "r"(in) : "xmm5");
	wait_signal();
	CHECK(seen_fp);
	CHECK_EQ(seen_xmm5, in);
	signal(SIGUSR1, SIG_DFL);
}

TEST(exec_clean, "execve starts a program with the default control words and zero registers")
{
	static struct image im;
	/* stmxcsr -8(%rsp); mov -8(%rsp),%eax; cmp $0x1f80,%eax; setne %dil; movq %xmm3,%rax; or %al,%dil; exit */
	static const unsigned char code[] = {
		0x0f, 0xae, 0x5c, 0x24, 0xf8, 0x8b, 0x44, 0x24, 0xf8, 0x31, 0xff, 0x3d,
		0x80, 0x1f, 0,	  0,	0x40, 0x0f, 0x95, 0xc7, 0x66, 0x48, 0x0f, 0x7e,
		0xd8, 0x40, 0x08, 0xc7, 0xb8, 231,  0,	  0,	0,    0x0f, 0x05,
	};
	unsigned int set = 0x9f80, clean = 0x1f80;

	image_make(&im, ET_EXEC, 0);
	memcpy(im.bytes + CODE_AT, code, sizeof(code));
	__asm__ volatile("ldmxcsr %0\n\tpcmpeqd %%xmm3, %%xmm3" : : "m"(set) : "xmm3");
	struct outcome o = run_image(&im);

	__asm__ volatile("ldmxcsr %0" : : "m"(clean));
	CHECK_OUTCOME(o, 0, 0, 0);
}

TEST_MAIN()
