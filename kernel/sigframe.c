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
	return !(ss->ss_flags & SS_AUTODISARM) && rsp > ss->ss_sp && rsp - ss->ss_sp <= ss->ss_size;
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

static void save_registers(struct sigcontext *sc, const struct trap_frame *tf)
{
	sc->r8 = tf->r8;
	sc->r9 = tf->r9;
	sc->r10 = tf->r10;
	sc->r11 = tf->r11;
	sc->r12 = tf->r12;
	sc->r13 = tf->r13;
	sc->r14 = tf->r14;
	sc->r15 = tf->r15;
	sc->rdi = tf->rdi;
	sc->rsi = tf->rsi;
	sc->rbp = tf->rbp;
	sc->rbx = tf->rbx;
	sc->rdx = tf->rdx;
	sc->rax = tf->rax;
	sc->rcx = tf->rcx;
	sc->rsp = tf->rsp;
	sc->rip = tf->rip;
	sc->eflags = tf->rflags;
	sc->cs = (u16)tf->cs;
	sc->gs = 0;
	sc->fs = 0;
	sc->ss = (u16)tf->ss;
	sc->err = current->trap_err;
	sc->trapno = current->trap_nr;
	sc->cr2 = current->trap_cr2;
}

int sigframe_setup(const struct ksignal *ks, struct trap_frame *tf)
{
	const struct k_sigaction *action = &ks->action;
	size_t fpu_bytes = fpu_frame_size(), size = sizeof(struct rt_sigframe);
	struct rt_sigframe frame;
	unsigned long sp, fpstate;

	if (!(action->flags & SA_RESTORER))
		return -EFAULT;
	sp = frame_place(ks, tf->rsp, fpu_bytes, &fpstate);
	if (!sp || fpu_save_user((void __user *)fpstate))
		return -EFAULT;

	frame.pretcode = action->restorer;
	frame.uc.uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS |
			    (fpu_bytes > FXSAVE_BYTES ? UC_FP_XSTATE : 0);
	frame.uc.uc_link = 0;
	altstack_describe(&current->altstack, &frame.uc.uc_stack, tf->rsp);
	save_registers(&frame.uc.uc_mcontext, tf);
	frame.uc.uc_mcontext.oldmask = ks->saved_blocked;
	frame.uc.uc_mcontext.fpstate = fpstate;
	for (unsigned int i = 0; i < ARRAY_SIZE(frame.uc.uc_mcontext.reserved1); i++)
		frame.uc.uc_mcontext.reserved1[i] = 0;
	frame.uc.uc_sigmask = ks->saved_blocked;
	if (action->flags & SA_SIGINFO) {
		__builtin_memcpy(&frame.info, &ks->info, SIGINFO_USED);
		__builtin_memset((char *)&frame.info + SIGINFO_USED, 0,
				 sizeof(frame.info) - SIGINFO_USED);
	} else {
		size = offsetof(struct rt_sigframe, info);
	}
	if (copy_to_user((void __user *)sp, &frame, size))
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
 * The registers as the frame has them; exit_to_user_work() minds a rip that is no address. False
 * when the selectors are not those that every program has.
 */
static bool restore_registers(const struct sigcontext *sc, struct trap_frame *tf)
{
	if ((sc->cs | 3) != tf->cs || (sc->ss | 3) != tf->ss)
		return false;
	tf->r8 = sc->r8;
	tf->r9 = sc->r9;
	tf->r10 = sc->r10;
	tf->r11 = sc->r11;
	tf->r12 = sc->r12;
	tf->r13 = sc->r13;
	tf->r14 = sc->r14;
	tf->r15 = sc->r15;
	tf->rdi = sc->rdi;
	tf->rsi = sc->rsi;
	tf->rbp = sc->rbp;
	tf->rbx = sc->rbx;
	tf->rdx = sc->rdx;
	tf->rax = sc->rax;
	tf->rcx = sc->rcx;
	tf->rsp = sc->rsp;
	tf->rip = sc->rip;
	tf->rflags = (tf->rflags & ~FLAGS_USER) | (sc->eflags & FLAGS_USER);
	tf->orig_rax = (u64)-1; /* no restart: this is no system call's return any more */
	return true;
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
	struct ucontext uc;

	if (copy_from_user(&uc, &frame->uc, sizeof(uc)))
		goto bad;
	set_blocked(uc.uc_sigmask);
	current->restart.func = no_restart;
	if (!restore_registers(&uc.uc_mcontext, tf))
		goto bad;
	task_set_work(current, TASK_WORK_FULL_RESTORE);
	if (fpu_restore_user((const void __user *)uc.uc_mcontext.fpstate))
		goto bad;
	restore_altstack(&uc.uc_stack, tf->rsp);
	return (long)tf->rax;

bad:
	force_signal(SIGSEGV, false);
	return 0;
}
