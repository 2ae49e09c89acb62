/* SPDX-License-Identifier: MIT
 *
 * The signal frame: registers seen by the handler, changed by it, restored by sigreturn.
 */
#include "test.h"

static volatile unsigned long seen[23];
static volatile int mode;
static volatile unsigned long skip_to;

static void handler(int sig UNUSED, siginfo_t *si UNUSED, void *context)
{
	ucontext_t *uc = context;
	greg_t *g = uc->uc_mcontext.gregs;

	for (int i = 0; i < 23; i++)
		seen[i] = g[i];
	if (mode == 1) {
		g[REG_R12] = 0x1111222233334444;
		g[REG_RAX] = 77;
	}
	if (mode == 2)
		g[REG_RIP] = skip_to;
	if (mode == 3)
		g[REG_RIP] = NON_CANONICAL;
	if (mode == 4)
		sigaddset(&uc->uc_sigmask, SIGUSR2);
	if (mode == 5)
		g[REG_EFL] |=
			0x3000 | 0x200 | 0x20000; /* I/O privilege, interrupts, virtual 8086 */
	if (mode == 6)
		g[REG_CSGSFS] = (g[REG_CSGSFS] & ~0xffffL) | 0x10; /* a kernel code segment */
	if (mode == 7)
		g[REG_RSP] = 0;
	/* Destroy what it may destroy. */
	__asm__ volatile(
		"xor %%r8d, %%r8d\n\txor %%r9d, %%r9d\n\txor %%r10d, %%r10d\n\txor %%r11d, %%r11d"
		:
		:
		: "r8", "r9", "r10", "r11");
}

static void catch_it(int m)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	mode = m;
	MUST(!sigaction(SIGUSR1, &sa, NULL));
	MUST(!sigaction(SIGTRAP, &sa, NULL));
}

TEST(registers, "all registers at an int3 are in the frame and come back")
{
	unsigned long ok;

	catch_it(0);
	__asm__ volatile("mov $0x0101, %%rax\n\tmov $0x0202, %%rbx\n\tmov $0x0303, %%rcx\n\t"
			 "mov $0x0404, %%rdx\n\tmov $0x0505, %%rsi\n\tmov $0x0606, %%rdi\n\t"
			 "mov $0x0808, %%r8\n\tmov $0x0909, %%r9\n\tmov $0x1010, %%r10\n\t"
			 "mov $0x1111, %%r11\n\tmov $0x1212, %%r12\n\tmov $0x1313, %%r13\n\t"
			 "mov $0x1414, %%r14\n\tmov $0x1515, %%r15\n\t"
			 "stc\n\tint3\n\t"
			 "jnc 1f\n\t"
			 "cmp $0x0202, %%rbx\n\tjne 1f\n\tcmp $0x0303, %%rcx\n\tjne 1f\n\t"
			 "cmp $0x0404, %%rdx\n\tjne 1f\n\tcmp $0x0505, %%rsi\n\tjne 1f\n\t"
			 "cmp $0x0606, %%rdi\n\tjne 1f\n\tcmp $0x0808, %%r8\n\tjne 1f\n\t"
			 "cmp $0x0909, %%r9\n\tjne 1f\n\tcmp $0x1010, %%r10\n\tjne 1f\n\t"
			 "cmp $0x1111, %%r11\n\tjne 1f\n\tcmp $0x1212, %%r12\n\tjne 1f\n\t"
			 "cmp $0x1313, %%r13\n\tjne 1f\n\tcmp $0x1414, %%r14\n\tjne 1f\n\t"
			 "cmp $0x1515, %%r15\n\tjne 1f\n\tcmp $0x0101, %%rax\n\tjne 1f\n\t"
			 "mov $1, %%eax\n\tjmp 2f\n1:\txor %%eax, %%eax\n2:"
			 : "=a"(ok)
			 :
			 : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
			   "r13", "r14", "r15", "memory", "cc");
	CHECK_EQ(ok, 1);
	CHECK_EQ(seen[REG_RAX], 0x101);
	CHECK_EQ(seen[REG_RCX], 0x303);
	CHECK_EQ(seen[REG_R8], 0x808);
	CHECK_EQ(seen[REG_R11], 0x1111);
	CHECK_EQ(seen[REG_R15], 0x1515);
	CHECK_EQ(seen[REG_EFL] & 1, 1);
	CHECK_EQ(seen[REG_CSGSFS] & 0xffff, 0x33);
}

TEST(modified, "registers the handler changes in the frame are what the program gets")
{
	unsigned long r12, rax;

	catch_it(1);
	__asm__ volatile("xor %%r12d, %%r12d\n\tint3\n\tmov %%r12, %1"
			 : "=&a"(rax), "=r"(r12)
			 :
			 : "r12", "memory");
	CHECK_EQ(r12, 0x1111222233334444);
	CHECK_EQ(rax, 77);
}

TEST(jump, "a changed instruction pointer is where it goes on")
{
	unsigned long went = 0;

	catch_it(2);
	__asm__ volatile("lea 1f(%%rip), %%rax\n\tmov %%rax, %1\n\tint3\n\tmov $5, %0\n1:"
			 : "+r"(went), "=m"(skip_to)
			 :
			 : "rax", "memory");
	CHECK_EQ(went, 0);
}

TEST(mask_in_frame, "the mask in the frame becomes the mask after return")
{
	sigset_t old, now;

	catch_it(4);
	MUST(!sigprocmask(SIG_BLOCK, NULL, &old));
	raise(SIGUSR1);
	MUST(!sigprocmask(SIG_SETMASK, &old, &now));
	CHECK_EQ(sigismember(&now, SIGUSR2), 1);
}

TEST(flags_in_frame, "privileged bits of RFLAGS in the frame are not taken over")
{
	unsigned long flags;

	catch_it(5);
	raise(SIGUSR1);
	__asm__ volatile("pushf\n\tpop %0" : "=r"(flags));
	CHECK_EQ(flags & 0x3000, 0);
	CHECK_EQ(flags & 0x20000, 0);
	CHECK_EQ(flags & 0x200, 0x200);
}

TEST(hostile_frames,
     "a non-canonical rip, a kernel cs, a null stack: the program dies, nothing else does")
{
	for (int m = 3; m <= 7; m++) {
		if (m == 4 || m == 5)
			continue;
		pid_t pid = fork_checked();

		if (!pid) {
			catch_it(m);
			raise(SIGUSR1);
			/* With a null stack the next push faults. A kernel cs is forced to a user one. */
			_exit(m == 6 ? 0 : 1);
		}
		int status = wait_for(pid);

		if (m == 6)
			CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) || !status);
		else
			CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	}
}

TEST(bare_sigreturn, "rt_sigreturn without a frame: SIGSEGV or a state from garbage, never worse")
{
	for (int i = 0; i < 3; i++) {
		pid_t pid = fork_checked();

		if (!pid) {
			char *p = map_anon(4 * PAGE, RW);

			memset(p, i == 1 ? 0xff : 0, 4 * PAGE);
			/* Stack pointer into zeroes, into 0xff bytes, and next to a hole. */
			char *sp = i == 2 ? p + 4 * PAGE - 16 : p + PAGE;

			__asm__ volatile("mov %0, %%rsp\n\tmov $15, %%eax\n\tsyscall\n\tud2"
					 :
					 : "r"(sp)
					 : "memory");
		}
		CHECK(WIFSIGNALED(wait_for(pid)));
	}
}

TEST(red_zone, "the frame lies at least 128 bytes below the interrupted stack pointer")
{
	catch_it(0);
	unsigned long sp;

	__asm__ volatile("mov %%rsp, %0\n\tint3" : "=&r"(sp) : : "memory");
	CHECK_EQ(seen[REG_RSP], sp);
	/* Data in the red zone survives. */
	unsigned long v;

	__asm__ volatile("movq $0x5a5a5a, -120(%%rsp)\n\tint3\n\tmovq -120(%%rsp), %0"
			 : "=&r"(v)
			 :
			 : "memory");
	CHECK_EQ(v, 0x5a5a5a);
}

TEST_MAIN()
