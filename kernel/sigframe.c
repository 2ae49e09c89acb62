/* SPDX-License-Identifier: MIT
 *
 * The signal frame of x86_64: written below the interrupted stack pointer (or on the alternate
 * stack), read back by rt_sigreturn. From high to low addresses:
 *
 *	the 128 bytes that the ABI lets a leaf function use below rsp
 *	the FPU area, 64-byte aligned
 *	siginfo, ucontext, the restorer's address: the handler's rsp, 8 below a multiple of 16
 *
 * Whatever rt_sigreturn reads comes from the program: it is checked before anything is changed.
 */
#include <arch/uaccess.h>
#include <kern/err.h>
#include <kernel/signal.h>
#include <kernel/syscall.h>
#include <uapi/ucontext.h>

#define RED_ZONE 128
#define FXSAVE_BYTES 512 /* an FPU area without XSAVE's part */
#define FPU_ALIGN 64

#define FLAG_CF 0x1UL
#define FLAG_PF 0x4UL
#define FLAG_AF 0x10UL
#define FLAG_ZF 0x40UL
#define FLAG_SF 0x80UL
#define FLAG_TF 0x100UL
#define FLAG_DF 0x400UL
#define FLAG_OF 0x800UL
#define FLAG_RF 0x10000UL
#define FLAG_AC 0x40000UL
/* What a program may set in its own flags. */
#define FLAGS_USER                                                                                 \
	(FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_TF | FLAG_DF | FLAG_OF | FLAG_RF | \
	 FLAG_AC)

/* ---- the alternate stack ---- */

static bool on_altstack(const struct sigaltstack *ss, unsigned long rsp)
{
	/* With SS_AUTODISARM the stack counts as left: the handler may use it anew. */
	return unlikely(ss->ss_size) && !(ss->ss_flags & SS_AUTODISARM) && rsp > ss->ss_sp &&
	       rsp - ss->ss_sp <= ss->ss_size;
}

unsigned int altstack_flags(const struct sigaltstack *ss, unsigned long rsp)
{
	if (!ss->ss_size)
		return SS_DISABLE;
	return on_altstack(ss, rsp) ? SS_ONSTACK : 0;
}

static void altstack_describe(const struct sigaltstack *ss, struct sigaltstack *out,
			      unsigned long rsp)
{
	out->ss_sp = ss->ss_sp;
	out->ss_flags = altstack_flags(ss, rsp) | (ss->ss_flags & SS_AUTODISARM);
	out->ss_pad = 0;
	out->ss_size = ss->ss_size;
}

int do_sigaltstack(const struct sigaltstack *new, struct sigaltstack *old, unsigned long rsp)
{
	struct sigaltstack *ss = &current->altstack;
	unsigned int mode;

	if (old)
		altstack_describe(ss, old, rsp);
	if (!new)
		return 0;
	if (on_altstack(ss, rsp))
		return -EPERM;
	mode = new->ss_flags & ~SS_AUTODISARM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode != SS_DISABLE && new->ss_size < MINSIGSTKSZ)
		return -ENOMEM;
	ss->ss_flags = new->ss_flags;
	ss->ss_sp = mode == SS_DISABLE ? 0 : new->ss_sp;
	ss->ss_size = mode == SS_DISABLE ? 0 : new->ss_size;
	return 0;
}

/* ---- into the handler ---- */

/* Where the frame and the FPU area go; 0: the alternate stack is too small for them. */
static unsigned long frame_place(const struct ksignal *ks, unsigned long rsp, size_t fpu_bytes,
				 unsigned long *fpstate)
{
	const struct sigaltstack *ss = &current->altstack;
	bool bounded = on_altstack(ss, rsp);
	unsigned long sp = rsp - RED_ZONE;

	if ((ks->action.flags & SA_ONSTACK) && ss->ss_size && !on_altstack(ss, sp)) {
		sp = ss->ss_sp + ss->ss_size;
		bounded = true;
	}
	*fpstate = ALIGN_DOWN(sp - fpu_bytes, FPU_ALIGN);
	sp = ALIGN_DOWN(*fpstate - sizeof(struct rt_sigframe), 16) - 8;
	if (bounded && !(sp > ss->ss_sp && sp - ss->ss_sp <= ss->ss_size))
		return 0;
	return sp;
}

/* The registers. User access is open, and stays so. False: a fault. */
static __always_inline bool save_registers(struct sigcontext __user *sc,
					   const struct trap_frame *tf)
{
	user_write(tf->r8, &sc->r8, fault);
	user_write(tf->r9, &sc->r9, fault);
	user_write(tf->r10, &sc->r10, fault);
	user_write(tf->r11, &sc->r11, fault);
	user_write(tf->r12, &sc->r12, fault);
	user_write(tf->r13, &sc->r13, fault);
	user_write(tf->r14, &sc->r14, fault);
	user_write(tf->r15, &sc->r15, fault);
	user_write(tf->rdi, &sc->rdi, fault);
	user_write(tf->rsi, &sc->rsi, fault);
	user_write(tf->rbp, &sc->rbp, fault);
	user_write(tf->rbx, &sc->rbx, fault);
	user_write(tf->rdx, &sc->rdx, fault);
	user_write(tf->rax, &sc->rax, fault);
	user_write(tf->rcx, &sc->rcx, fault);
	user_write(tf->rsp, &sc->rsp, fault);
	user_write(tf->rip, &sc->rip, fault);
	user_write(tf->rflags, &sc->eflags, fault);
	user_write(tf->cs, &sc->cs, fault);
	user_write(0, &sc->gs, fault);
	user_write(0, &sc->fs, fault);
	user_write(tf->ss, &sc->ss, fault);
	user_write(current->trap_err, &sc->err, fault);
	user_write(current->trap_nr, &sc->trapno, fault);
	user_write(current->trap_cr2, &sc->cr2, fault);
	return true;
fault:
	return false;
}

/* What the handler knows of the signal, the unused part zero. As save_registers(). */
static __always_inline bool save_info(u64 __user *to, const struct siginfo *info)
{
	const u64 *from = (const u64 *)info;

	_Static_assert(SIGINFO_USED == 6 * sizeof(u64), "all of it is copied");
	user_write(from[0], &to[0], fault);
	user_write(from[1], &to[1], fault);
	user_write(from[2], &to[2], fault);
	user_write(from[3], &to[3], fault);
	user_write(from[4], &to[4], fault);
	user_write(from[5], &to[5], fault);
	user_zero8(to + 6, fault);
	user_write(0, &to[14], fault);
	user_write(0, &to[15], fault);
	return true;
fault:
	return false;
}

/* All but the FPU area. The frame's place is known to be the user's. False: a fault. */
static bool write_frame(struct rt_sigframe __user *frame, const struct ksignal *ks,
			const struct trap_frame *tf, unsigned long fpstate, u64 uc_flags)
{
	struct ucontext __user *uc = &frame->uc;
	struct sigcontext __user *sc = &uc->uc_mcontext;
	struct sigaltstack ss;

	altstack_describe(&current->altstack, &ss, tf->rsp);
	user_access_begin();
	user_write(ks->action.restorer, &frame->pretcode, fault);
	user_write(uc_flags, &uc->uc_flags, fault);
	user_write(0, &uc->uc_link, fault);
	user_write(ss.ss_sp, &uc->uc_stack.ss_sp, fault);
	user_write(ss.ss_flags, &uc->uc_stack.ss_flags, fault);
	user_write(0, &uc->uc_stack.ss_pad, fault);
	user_write(ss.ss_size, &uc->uc_stack.ss_size, fault);
	if (!save_registers(sc, tf))
		goto fault;
	user_write(ks->saved_blocked, &sc->oldmask, fault);
	user_write(fpstate, &sc->fpstate, fault);
	user_zero8(sc->reserved1, fault);
	user_write(ks->saved_blocked, &uc->uc_sigmask, fault);
	if ((ks->action.flags & SA_SIGINFO) && !save_info((u64 __user *)&frame->info, &ks->info))
		goto fault;
	user_access_end();
	return true;
fault:
	user_access_end();
	return false;
}

int sigframe_setup(const struct ksignal *ks, struct trap_frame *tf)
{
	const struct k_sigaction *action = &ks->action;
	size_t fpu_bytes = fpu_frame_size();
	struct rt_sigframe __user *frame;
	unsigned long sp, fpstate;
	u64 uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS |
		       (fpu_bytes > FXSAVE_BYTES ? UC_FP_XSTATE : 0);

	if (!(action->flags & SA_RESTORER))
		return -EFAULT;
	sp = frame_place(ks, tf->rsp, fpu_bytes, &fpstate);
	frame = (struct rt_sigframe __user *)sp;
	if (!sp || !access_ok(frame, sizeof(*frame)) || fpu_save_user((void __user *)fpstate))
		return -EFAULT;
	if (!write_frame(frame, ks, tf, fpstate, uc_flags))
		return -EFAULT;

	if (current->altstack.ss_flags & SS_AUTODISARM)
		current->altstack = (struct sigaltstack){ .ss_flags = SS_DISABLE };
	tf->rdi = (u64)ks->sig;
	tf->rsi = sp + offsetof(struct rt_sigframe, info);
	tf->rdx = sp + offsetof(struct rt_sigframe, uc);
	tf->rax = 0;
	tf->rsp = sp;
	tf->rip = action->handler;
	tf->rflags &= ~(FLAG_DF | FLAG_RF | FLAG_TF);
	task_set_work(current, TASK_WORK_FULL_RESTORE);
	return 0;
}

/* ---- and back ---- */

/*
 * The registers as the frame has them; exit_to_user_work() minds a rip that is no address. User
 * access is open, and stays so. False: a fault.
 */
static __always_inline bool restore_registers(const struct sigcontext __user *sc,
					      struct trap_frame *tf)
{
	u64 flags;

	user_read(tf->r8, &sc->r8, fault);
	user_read(tf->r9, &sc->r9, fault);
	user_read(tf->r10, &sc->r10, fault);
	user_read(tf->r11, &sc->r11, fault);
	user_read(tf->r12, &sc->r12, fault);
	user_read(tf->r13, &sc->r13, fault);
	user_read(tf->r14, &sc->r14, fault);
	user_read(tf->r15, &sc->r15, fault);
	user_read(tf->rdi, &sc->rdi, fault);
	user_read(tf->rsi, &sc->rsi, fault);
	user_read(tf->rbp, &sc->rbp, fault);
	user_read(tf->rbx, &sc->rbx, fault);
	user_read(tf->rdx, &sc->rdx, fault);
	user_read(tf->rax, &sc->rax, fault);
	user_read(tf->rcx, &sc->rcx, fault);
	user_read(tf->rsp, &sc->rsp, fault);
	user_read(tf->rip, &sc->rip, fault);
	user_read(flags, &sc->eflags, fault);
	tf->rflags = (tf->rflags & ~FLAGS_USER) | (flags & FLAGS_USER);
	tf->orig_rax = (u64)-1; /* no restart: this is no system call's return any more */
	return true;
fault:
	return false;
}

/* What a frame tells besides the registers. */
struct saved_context {
	struct sigaltstack stack;
	u64 mask;
	unsigned long fpstate;
	u16 cs, ss;
	bool valid; /* selectors that every program has: *tf was changed */
};

/*
 * Reads the frame into *saved and *tf. First come the words at its ends, so that a frame which is
 * only half there changes nothing. False: a fault.
 */
static bool read_frame(const struct ucontext __user *uc, struct saved_context *saved,
		       struct trap_frame *tf)
{
	const struct sigcontext __user *sc = &uc->uc_mcontext;

	if (!access_ok(uc, sizeof(*uc)))
		return false;
	user_access_begin();
	user_read(saved->stack.ss_sp, &uc->uc_stack.ss_sp, fault);
	user_read(saved->stack.ss_flags, &uc->uc_stack.ss_flags, fault);
	user_read(saved->stack.ss_size, &uc->uc_stack.ss_size, fault);
	user_read(saved->mask, &uc->uc_sigmask, fault);
	user_read(saved->fpstate, &sc->fpstate, fault);
	user_read(saved->cs, &sc->cs, fault);
	user_read(saved->ss, &sc->ss, fault);
	saved->valid = (saved->cs | 3) == tf->cs && (saved->ss | 3) == tf->ss;
	if (saved->valid && !restore_registers(sc, tf))
		goto fault;
	user_access_end();
	return true;
fault:
	user_access_end();
	return false;
}

static long no_restart(struct restart_block *rb __maybe_unused)
{
	return -EINTR;
}

/* What the handler or SS_AUTODISARM changed goes back. Refused while running on it: not an error. */
static void restore_altstack(const struct sigaltstack *saved, unsigned long rsp)
{
	const struct sigaltstack *now = &current->altstack;

	if (saved->ss_size != now->ss_size || saved->ss_sp != now->ss_sp ||
	    ((saved->ss_flags ^ now->ss_flags) & SS_AUTODISARM))
		(void)do_sigaltstack(saved, NULL, rsp);
}

SYSCALL_DEFINE0(rt_sigreturn)
{
	struct trap_frame *tf = task_trap_frame(&current->thread);
	const struct rt_sigframe __user *frame = (const void __user *)(tf->rsp - sizeof(u64));
	struct saved_context saved;

	if (!read_frame(&frame->uc, &saved, tf))
		goto bad;
	set_blocked(saved.mask);
	current->restart.func = no_restart;
	if (!saved.valid)
		goto bad;
	task_set_work(current, TASK_WORK_FULL_RESTORE);
	if (fpu_restore_user((const void __user *)saved.fpstate))
		goto bad;
	restore_altstack(&saved.stack, tf->rsp);
	return (long)tf->rax;

bad:
	force_signal(SIGSEGV, false);
	return 0;
}
