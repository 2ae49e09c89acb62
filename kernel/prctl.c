/* SPDX-License-Identifier: MIT
 *
 * prctl() and personality(): properties of a task that have no call of their own.
 */
#include <arch/uaccess.h>
#include <kern/string.h>
#include <kernel/signal.h>
#include <kernel/syscall.h>
#include <kernel/user_namespace.h>
#include <mm/mm.h>
#include <uapi/prctl.h>

#define COMM_LEN sizeof(current->comm)
#define DEFAULT_TIMER_SLACK 50000 /* ns; timers here are never late on purpose */

static int set_name(const char __user *uname)
{
	char name[sizeof(current->comm)] = "";
	ssize_t n = strncpy_from_user(name, uname, sizeof(name) - 1);

	if (n < 0)
		return -EFAULT;
	name[min((size_t)n, sizeof(name) - 1)] = '\0';
	task_set_comm(current, name);
	return 0;
}

/* Another thread may be writing to /proc/self/task/TID/comm. */
static int get_name(char __user *uname)
{
	char name[COMM_LEN];

	task_get_comm(current, name);
	return copy_to_user(uname, name, sizeof(name)) ? -EFAULT : 0;
}

static int set_keepcaps(unsigned long on)
{
	struct task *self = current;

	if (on > 1)
		return -EINVAL;
	if (self->securebits & SECBIT_KEEP_CAPS_LOCKED)
		return -EPERM;
	if (on)
		self->securebits |= SECBIT_KEEP_CAPS;
	else
		self->securebits &= ~SECBIT_KEEP_CAPS;
	return 0;
}

static int set_securebits(unsigned long bits)
{
	u32 old = current->securebits, locked = (old & SECURE_ALL_LOCKS) >> 1;

	if (((old ^ bits) & locked) || ((old & SECURE_ALL_LOCKS) & ~bits) ||
	    (bits & ~(unsigned long)(SECURE_ALL_BITS | SECURE_ALL_LOCKS)) ||
	    !capable_here(CAP_SETPCAP))
		return -EPERM;
	current->securebits = (u32)bits;
	return 0;
}

static int drop_bounding(unsigned long cap)
{
	if (!capable_here(CAP_SETPCAP))
		return -EPERM;
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	current->cred.cap_bounding &= ~(1ULL << cap);
	return 0;
}

static int cap_ambient(unsigned long op, unsigned long cap)
{
	struct cred *c = &current->cred;

	if (op == PR_CAP_AMBIENT_CLEAR_ALL) {
		if (cap)
			return -EINVAL;
		c->cap_ambient = 0;
		return 0;
	}
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	switch (op) {
	case PR_CAP_AMBIENT_IS_SET:
		return (c->cap_ambient >> cap) & 1;
	case PR_CAP_AMBIENT_RAISE:
		if (!((c->cap_permitted & c->cap_inheritable) >> cap & 1) ||
		    (current->securebits & SECBIT_NO_CAP_AMBIENT_RAISE))
			return -EPERM;
		c->cap_ambient |= 1ULL << cap;
		return 0;
	case PR_CAP_AMBIENT_LOWER:
		c->cap_ambient &= ~(1ULL << cap);
		return 0;
	}
	return -EINVAL;
}

SYSCALL_DEFINE5(prctl, int, option, unsigned long, arg2, unsigned long, arg3, unsigned long, arg4,
		unsigned long, arg5)
{
	struct task *self = current;
	struct process *p = self->process;

	switch (option) {
	case PR_SET_PDEATHSIG:
		if (arg2 > NSIG)
			return -EINVAL;
		self->pdeath_signal = (int)arg2;
		return 0;
	case PR_GET_PDEATHSIG:
		return put_user_u32((u32)self->pdeath_signal, (void __user *)arg2);
	case PR_GET_DUMPABLE:
		return p->dumpable;
	case PR_SET_DUMPABLE:
		if (arg2 > 1)
			return -EINVAL;
		p->dumpable = arg2;
		return 0;
	case PR_GET_KEEPCAPS:
		return !!(self->securebits & SECBIT_KEEP_CAPS);
	case PR_SET_KEEPCAPS:
		return set_keepcaps(arg2);
	case PR_GET_TIMING:
		return 0;
	case PR_SET_TIMING:
		return arg2 ? -EINVAL : 0;
	case PR_SET_NAME:
		return set_name((const char __user *)arg2);
	case PR_GET_NAME:
		return get_name((char __user *)arg2);
	case PR_CAPBSET_READ:
		return arg2 > CAP_LAST_CAP ? -EINVAL
					   : (long)((self->cred.cap_bounding >> arg2) & 1);
	case PR_CAPBSET_DROP:
		return drop_bounding(arg2);
	case PR_GET_SECUREBITS:
		return self->securebits;
	case PR_SET_SECUREBITS:
		return set_securebits(arg2);
	case PR_GET_TIMERSLACK:
		return DEFAULT_TIMER_SLACK;
	case PR_SET_CHILD_SUBREAPER:
		p->is_init_reaper = arg2;
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		return put_user_u32(p->is_init_reaper, (void __user *)arg2);
	case PR_SET_NO_NEW_PRIVS:
		if (arg2 != 1 || arg3 || arg4 || arg5)
			return -EINVAL;
		self->no_new_privs = true;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		return arg2 || arg3 || arg4 || arg5 ? -EINVAL : self->no_new_privs;
	case PR_GET_TID_ADDRESS:
		return put_user_u64((u64)self->clear_child_tid, (void __user *)arg2);
	case PR_CAP_AMBIENT:
		return arg4 || arg5 ? -EINVAL : cap_ambient(arg2, arg3);
	default:
		return -EINVAL;
	}
}

/* The one bit that means something here; emulation of other systems is refused. */
SYSCALL_DEFINE1(personality, u32, personality)
{
	u32 old = current->personality;

	if (personality == 0xffffffff)
		return old;
	if (personality & ~ADDR_NO_RANDOMIZE)
		return -EINVAL;
	current->personality = personality;
	return old;
}
