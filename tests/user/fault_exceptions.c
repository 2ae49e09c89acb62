/* SPDX-License-Identifier: MIT
 *
 * Exceptions that are no page faults: divide, invalid, privileged, breakpoint, overflow, alignment.
 */
#include "test.h"

static unsigned long where;

static void divide(void)
{
	unsigned long a = 1, d = 0, zero = 0;

	__asm__ volatile("lea 1f(%%rip), %%rcx\n\tmov %%rcx, %3\n1:\tdivq %2"
			 : "+a"(a), "+d"(d)
			 : "r"(zero), "m"(where)
			 : "rcx", "cc", "memory");
}

static void divide_overflow(void)
{
	long a = 1L << 63, d = -1, minus = -1;

	__asm__ volatile("idivq %2" : "+a"(a), "+d"(d) : "r"(minus) : "cc");
}

TEST(divide_, "division by zero and the overflowing division: SIGFPE FPE_INTDIV at the instruction")
{
	CATCH(divide());
	CHECK_EQ(fault_seen.sig, SIGFPE);
	CHECK_EQ(fault_seen.code, FPE_INTDIV);
	CHECK_EQ(fault_seen.addr, where);
	CHECK_EQ(fault_seen.rip, where);
	CHECK_EQ(fault_seen.trapno, 0);
	CATCH(divide_overflow());
	CHECK_EQ(fault_seen.sig, SIGFPE);
	CHECK_EQ(fault_seen.code, FPE_INTDIV);
}

static void invalid(void)
{
	__asm__ volatile("lea 1f(%%rip), %%rcx\n\tmov %%rcx, %0\n1:\tud2" : "=m"(where) : : "rcx");
}

TEST(invalid_, "an invalid instruction: SIGILL ILL_ILLOPN at the instruction")
{
	CATCH(invalid());
	CHECK_EQ(fault_seen.sig, SIGILL);
	CHECK_EQ(fault_seen.code, ILL_ILLOPN);
	CHECK_EQ(fault_seen.addr, where);
	CHECK_EQ(fault_seen.trapno, 6);
}

static void breakpoint(void)
{
	__asm__ volatile("int3");
}

TEST(int3, "int3: SIGTRAP, SI_KERNEL, the instruction after it next")
{
	CATCH(breakpoint());
	CHECK_EQ(fault_seen.sig, SIGTRAP);
	CHECK_EQ(fault_seen.code, SI_KERNEL);
	CHECK_EQ(fault_seen.trapno, 3);
}

static volatile int traps;

static void count_trap(int sig UNUSED)
{
	traps++;
}

TEST(int3_continues, "after the handler the program goes on behind int3")
{
	void (*old)(int) = signal(SIGTRAP, count_trap);

	traps = 0;
	breakpoint();
	breakpoint();
	signal(SIGTRAP, old);
	CHECK_EQ(traps, 2);
}

/* A privileged instruction each; every one must be a general protection fault. */
static void do_hlt(void)
{
	__asm__ volatile("hlt");
}
static void do_cli(void)
{
	__asm__ volatile("cli");
}
static void do_sti(void)
{
	__asm__ volatile("sti");
}
static void do_in(void)
{
	unsigned char v;
	__asm__ volatile("inb $0x60, %0" : "=a"(v));
}
static void do_out(void)
{
	__asm__ volatile("outb %0, $0xf4" : : "a"((unsigned char)0));
}
static void do_cr0(void)
{
	unsigned long v;
	__asm__ volatile("mov %%cr0, %0" : "=r"(v));
}
static void do_cr3(void)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(0UL));
}
static void do_rdmsr(void)
{
	__asm__ volatile("rdmsr" : : "c"(0x10) : "rax", "rdx");
}
static void do_wrmsr(void)
{
	__asm__ volatile("wrmsr" : : "c"(0xc0000082), "a"(0), "d"(0));
}
static void do_lgdt(void)
{
	static char d[10];
	__asm__ volatile("lgdt %0" : : "m"(d));
}
static void do_lidt(void)
{
	static char d[10];
	__asm__ volatile("lidt %0" : : "m"(d));
}
static void do_ltr(void)
{
	__asm__ volatile("ltr %w0" : : "r"(0x28));
}
static void do_invlpg(void)
{
	__asm__ volatile("invlpg (%0)" : : "r"(0UL));
}
static void do_wbinvd(void)
{
	__asm__ volatile("wbinvd");
}
static void do_swapgs(void)
{
	__asm__ volatile("swapgs");
}
static void do_clts(void)
{
	__asm__ volatile("clts");
}
static void do_int_kernel(void)
{
	__asm__ volatile("int $0x20");
}
static void do_int_pf(void)
{
	__asm__ volatile("int $14");
}
static void do_int_df(void)
{
	__asm__ volatile("int $8");
}
static void do_sysret(void)
{
	__asm__ volatile("sysretq" : : "c"(0UL));
}
static void do_load_ss(void)
{
	__asm__ volatile("mov %w0, %%ss" : : "r"(0x10));
}
static void do_load_ds(void)
{
	__asm__ volatile("mov %w0, %%ds" : : "r"(0x1000 | 3));
}

TEST(privileged,
     "privileged instructions: SIGSEGV, SI_KERNEL, si_addr 0, trap 13; the machine lives")
{
	/* hlt and in/out fail as root too: the I/O privilege level is 0. swapgs, sysret: #GP or #UD. */
	static const struct {
		const char *name;
		void (*fn)(void);
	} list[] = {
		{ "hlt", do_hlt },
		{ "cli", do_cli },
		{ "sti", do_sti },
		{ "in", do_in },
		{ "out", do_out },
		{ "mov cr0", do_cr0 },
		{ "mov cr3", do_cr3 },
		{ "rdmsr", do_rdmsr },
		{ "wrmsr", do_wrmsr },
		{ "lgdt", do_lgdt },
		{ "lidt", do_lidt },
		{ "ltr", do_ltr },
		{ "invlpg", do_invlpg },
		{ "wbinvd", do_wbinvd },
		{ "swapgs", do_swapgs },
		{ "clts", do_clts },
		{ "int 0x20", do_int_kernel },
		{ "int 14", do_int_pf },
		{ "int 8", do_int_df },
		{ "sysret", do_sysret },
		{ "mov ss", do_load_ss },
		{ "mov ds", do_load_ds },
	};

	for (unsigned int i = 0; i < sizeof(list) / sizeof(*list); i++) {
		CATCH(list[i].fn());
		if (fault_seen.sig != SIGSEGV || fault_seen.code != SI_KERNEL || fault_seen.addr ||
		    fault_seen.trapno != 13)
			FAIL("%s: signal %d code %d address %#lx trap %ld", list[i].name,
			     fault_seen.sig, fault_seen.code, fault_seen.addr, fault_seen.trapno);
	}
}

static void single_step(void)
{
	__asm__ volatile("pushf\n\torq $0x100, (%%rsp)\n\tpopf\n\tnop" : : : "cc", "memory");
}

TEST(trap_flag, "the trap flag: SIGTRAP TRAP_TRACE after one instruction, and off in the handler")
{
	CATCH(single_step());
	CHECK_EQ(fault_seen.sig, SIGTRAP);
	CHECK_EQ(fault_seen.code, TRAP_TRACE);
	CHECK_EQ(fault_seen.trapno, 1);
}

static void alignment(void)
{
	static char buf[32];

	__asm__ volatile("movdqa %%xmm0, 1(%0)"
			 :
			 : "r"(((unsigned long)buf + 15) & -16UL)
			 : "memory");
}

TEST(sse_unaligned, "an unaligned SSE access: SIGSEGV from a general protection fault")
{
	CHECK_FAULT(alignment(), SIGSEGV, SI_KERNEL, 0);
}

static void sse_divide(void)
{
	unsigned int mxcsr = 0x1f80 & ~0x200; /* unmask divide by zero */
	volatile double one = 1, zero = 0;

	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	one = one / zero;
}

static void x87_divide(void)
{
	unsigned short cw = 0x37f & ~4; /* unmask divide by zero */

	__asm__ volatile("fninit\n\tfldcw %0\n\tfldz\n\tfld1\n\tfdivp\n\tfwait" : : "m"(cw));
}

TEST(float_, "unmasked floating-point exceptions: SIGFPE FPE_FLTDIV from SSE and x87")
{
	unsigned int clean = 0x1f80;

	CATCH(sse_divide());
	__asm__ volatile("ldmxcsr %0" : : "m"(clean));
	/* An emulator may not raise unmasked SSE exceptions at all (QEMU's TCG does not). */
	if (fault_seen.sig) {
		CHECK_EQ(fault_seen.sig, SIGFPE);
		CHECK_EQ(fault_seen.code, FPE_FLTDIV);
	}
	CATCH(x87_divide());
	__asm__ volatile("fninit");
	CHECK_EQ(fault_seen.sig, SIGFPE);
	CHECK_EQ(fault_seen.code, FPE_FLTDIV);
}

TEST_MAIN()
