/* SPDX-License-Identifier: MIT
 *
 * Futexes (Franke, Russell, Kirkwood 2002): a program changes a word in user memory by itself and
 * calls the kernel only to sleep until the word changes and to wake sleepers.
 *
 * A waiter joins its bucket's list first and reads the word afterwards; a waker has changed the
 * word before it looks at the list. Whichever takes the bucket's lock second sees what the other
 * did. Only FUTEX_CMP_REQUEUE has to read its word with the buckets locked, and handles its faults without.
 * A waiter looks at queued under the lock, so that who wakes it is done with it.
 *
 * The key is (mm, address) for private memory and (mapping, offset) for shared, whatever the
 * FUTEX_PRIVATE_FLAG says about memory that is private: the flag only saves the lookup.
 */
#include <arch/irq.h>
#include <arch/uaccess.h>
#include <fs/vfs.h>
#include <kern/err.h>
#include <kernel/futex.h>
#include <kernel/signal.h>
#include <kernel/syscall.h>
#include <kernel/time.h>
#include <mm/mm.h>
#include <uapi/futex.h>

#define NR_BUCKETS 256

struct futex_key {
	const void *space;  /* struct mm, or struct mapping */
	unsigned long word; /* address, or offset in bytes */
	struct inode
		*inode; /* the mapping's, a reference that keeps space from being reused; or NULL */
};

struct futex_bucket {
	spinlock_t lock;
	struct list_head waiters; /* [lock] */
} __aligned(32);

struct futex_waiter {
	struct list_head node;	     /* [bucket->lock] */
	struct futex_bucket *bucket; /* requeueing changes it, both locks held */
	struct futex_key key;	     /* [bucket->lock] */
	struct task *task;
	u32 bitset;
	bool queued; /* [bucket->lock] */
	bool timed_out;
	struct timer timer;
};

static struct futex_bucket buckets[NR_BUCKETS];

void futex_init(void)
{
	unsigned int i;

	for (i = 0; i < NR_BUCKETS; i++) {
		spin_lock_init(&buckets[i].lock);
		INIT_LIST_HEAD(&buckets[i].waiters);
	}
}

/* ---- keys ---- */

static bool key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->word == b->word && a->space == b->space;
}

static struct futex_bucket *bucket_of(const struct futex_key *k)
{
	unsigned long h = (unsigned long)k->space / 64 + k->word / 4;

	return &buckets[(h * 0x9e3779b97f4a7c15UL) >> 56];
}

/* The key of a user word. On success put_key() must follow. 0, -EINVAL, -EFAULT. */
static int get_key(u32 __user *uaddr, bool private, struct futex_key *key)
{
	unsigned long addr = (unsigned long)uaddr;
	struct mm *mm = current->mm;
	struct vma *vma;
	int err = 0;

	if (addr % sizeof(u32))
		return -EINVAL;
	if (!access_ok(uaddr, sizeof(u32)))
		return -EFAULT;
	key->space = mm;
	key->word = addr;
	key->inode = NULL;
	if (private)
		return 0;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, addr);
	if (!vma || !(vma->flags & VM_ACCESS)) {
		err = -EFAULT;
	} else if (vma->mapping && (vma->flags & VM_MAYSHARE)) {
		key->space = vma->mapping;
		key->word = (vma->pgoff << PAGE_SHIFT) + (addr - vma->start);
		key->inode = vma->file->inode;
		inode_get(key->inode);
	}
	mmap_read_unlock(mm);
	return err;
}

static void put_key(const struct futex_key *key)
{
	if (key->inode)
		inode_put(key->inode);
}

/* ---- the lists ---- */

static struct futex_bucket *lock_bucket_of(struct futex_waiter *w)
{
	for (;;) {
		struct futex_bucket *b = READ_ONCE(w->bucket);

		spin_lock(&b->lock);
		if (likely(b == w->bucket))
			return b;
		spin_unlock(&b->lock);
	}
}

/* Two buckets in a fixed order; they may be one. */
static void lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	if (a > b) {
		struct futex_bucket *t = a;

		a = b;
		b = t;
	}
	spin_lock(&a->lock);
	if (a != b)
		spin_lock_nested(&b->lock);
}

static void unlock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

/* The bucket's lock is held, and the waiter needs it before it can return. */
static void wake_waiter(struct futex_waiter *w)
{
	list_del(&w->node);
	w->queued = false;
	unpark(w->task);
}

/* Wakes up to nr matching waiters (Linux: at least one). Returns how many. Lock held. */
static int wake_locked(struct futex_bucket *b, const struct futex_key *key, int nr, u32 bitset)
{
	struct futex_waiter *w, *next;
	int woken = 0;

	list_for_each_entry_safe(w, next, &b->waiters, node) {
		if (!key_equal(&w->key, key) || !(w->bitset & bitset))
			continue;
		wake_waiter(w);
		if (++woken >= nr)
			break;
	}
	return woken;
}

static int futex_wake(u32 __user *uaddr, bool private, int nr, u32 bitset)
{
	struct futex_bucket *b;
	struct futex_key key;
	int ret;

	if (!bitset)
		return -EINVAL;
	ret = get_key(uaddr, private, &key);
	if (ret)
		return ret;
	b = bucket_of(&key);
	spin_lock(&b->lock);
	ret = wake_locked(b, &key, nr, bitset);
	spin_unlock(&b->lock);
	put_key(&key);
	return ret;
}

/* ---- waiting ---- */

static void enqueue(struct futex_waiter *w)
{
	struct futex_bucket *b = bucket_of(&w->key);

	spin_lock(&b->lock);
	w->bucket = b;
	list_add_tail(&w->node, &b->waiters);
	w->queued = true;
	spin_unlock(&b->lock);
}

/* Leaves the list. True when the waiter was on it: nobody woke it. */
static bool dequeue(struct futex_waiter *w)
{
	struct futex_bucket *b = lock_bucket_of(w);
	bool queued = w->queued;

	if (queued) {
		list_del(&w->node);
		w->queued = false;
	}
	spin_unlock(&b->lock);
	return queued;
}

static bool still_queued(struct futex_waiter *w)
{
	struct futex_bucket *b = lock_bucket_of(w);
	bool queued = w->queued;

	spin_unlock(&b->lock);
	return queued;
}

static void timeout(struct timer *t)
{
	struct futex_waiter *w = container_of(t, struct futex_waiter, timer);

	WRITE_ONCE(w->timed_out, true);
	unpark(w->task);
}

/* Sleeps until woken. 0, -ETIMEDOUT or -ERESTARTSYS. */
static int sleep(struct futex_waiter *w, u64 deadline_ns)
{
	int ret = 0;

	if (deadline_ns != NEVER) {
		w->timer.func = timeout;
		timer_set(&w->timer, deadline_ns);
	}
	while (still_queued(w)) {
		if (READ_ONCE(w->timed_out))
			ret = -ETIMEDOUT;
		else if (park_interrupted(PARK_INTERRUPTIBLE))
			ret = -ERESTARTSYS;
		if (ret) {
			if (!dequeue(w))
				ret = 0;
			break;
		}
		park(PARK_INTERRUPTIBLE);
	}
	if (deadline_ns != NEVER)
		timer_cancel(&w->timer);
	return ret;
}

static int wait_on(struct futex_waiter *w, u32 __user *uaddr, u32 val, u64 deadline_ns)
{
	u32 now;
	int err;

	enqueue(w);
	err = get_user_u32(&now, uaddr);
	if (!err && now == val)
		return sleep(w, deadline_ns);
	/* Who was woken meanwhile has taken a wake-up and must not give it back as an error. */
	if (!dequeue(w))
		return 0;
	return err ? err : -EAGAIN;
}

static long futex_wait(u32 __user *uaddr, bool private, u32 val, u64 deadline_ns, u32 bitset);

static long futex_wait_restart(struct restart_block *rb)
{
	return futex_wait((u32 __user *)rb->ufds, rb->nfds, rb->futex_val,
			  rb->has_deadline ? rb->deadline_ns : NEVER, rb->futex_bitset);
}

/* The deadline is a clock_ns() value. */
static long futex_wait(u32 __user *uaddr, bool private, u32 val, u64 deadline_ns, u32 bitset)
{
	struct futex_waiter w = { .task = current, .bitset = bitset };
	struct restart_block *rb = &current->restart;
	long ret;

	if (!bitset)
		return -EINVAL;
	ret = get_key(uaddr, private, &w.key);
	if (ret)
		return ret;
	ret = wait_on(&w, uaddr, val, deadline_ns);
	put_key(&w.key);
	if (ret != -ERESTARTSYS || deadline_ns == NEVER)
		return ret;

	rb->func = futex_wait_restart;
	rb->ufds = uaddr;
	rb->nfds = private;
	rb->futex_val = val;
	rb->futex_bitset = bitset;
	rb->deadline_ns = deadline_ns;
	rb->has_deadline = true;
	return -ERESTART_RESTARTBLOCK;
}

/* ---- moving waiters, and waking two words ---- */

/* Both keys, or neither. */
static int get_two_keys(u32 __user *uaddr, u32 __user *uaddr2, bool private,
			struct futex_key keys[2])
{
	int err = get_key(uaddr, private, &keys[0]);

	if (err)
		return err;
	err = get_key(uaddr2, private, &keys[1]);
	if (err)
		put_key(&keys[0]);
	return err;
}

/*
 * Reads a user word with spinlocks held: with interrupts off a fault is not handled but fails at once.
 * 0 or -EFAULT, which may be a page that is only not there yet.
 */
static int peek_user_u32(u32 *val, const u32 __user *uaddr)
{
	irqflags_t flags = irq_save();
	int err = get_user_u32(val, uaddr);

	irq_restore(flags);
	return err;
}

/*
 * Locks both buckets and finds the word still as the caller expects it (NULL: whatever it is). On
 * failure nothing is locked. 0, -EAGAIN or -EFAULT.
 */
static int lock_two_if_equal(struct futex_bucket *b1, struct futex_bucket *b2, u32 __user *uaddr,
			     const u32 *expected)
{
	u32 val;
	int err;

	for (;;) {
		lock_two(b1, b2);
		if (!expected)
			return 0;
		err = peek_user_u32(&val, uaddr);
		if (!err && val == *expected)
			return 0;
		unlock_two(b1, b2);
		if (!err)
			return -EAGAIN;
		err = get_user_u32(&val, uaddr);
		if (err)
			return err;
	}
}

/*
 * A waiter goes over to another word. Both buckets locked. It keeps the new mapping alive instead of the
 * old; that is not the last reference of the old one, since the caller has a key there.
 */
static void move_waiter(struct futex_waiter *w, const struct futex_key *key,
			struct futex_bucket *from, struct futex_bucket *to)
{
	if (key->inode)
		inode_get(key->inode);
	put_key(&w->key);
	w->key = *key;
	if (from != to) {
		list_move_tail(&w->node, &to->waiters);
		WRITE_ONCE(w->bucket, to);
	}
}

/* Wakes nr_wake waiters of the first word and lets nr_requeue others wait on the second. */
static int futex_requeue(u32 __user *uaddr, bool private, int nr_wake, int nr_requeue,
			 u32 __user *uaddr2, const u32 *expected)
{
	struct futex_waiter *w, *next;
	struct futex_bucket *b1, *b2;
	struct futex_key keys[2];
	int done = 0, ret;

	if (nr_wake < 0 || nr_requeue < 0)
		return -EINVAL;
	ret = get_two_keys(uaddr, uaddr2, private, keys);
	if (ret)
		return ret;
	b1 = bucket_of(&keys[0]);
	b2 = bucket_of(&keys[1]);
	ret = lock_two_if_equal(b1, b2, uaddr, expected);
	if (ret)
		goto out;
	list_for_each_entry_safe(w, next, &b1->waiters, node) {
		if (done - nr_wake >= nr_requeue)
			break;
		if (!key_equal(&w->key, &keys[0]))
			continue;
		if (++done <= nr_wake)
			wake_waiter(w);
		else
			move_waiter(w, &keys[1], b1, b2);
	}
	unlock_two(b1, b2);
	ret = done;
out:
	put_key(&keys[0]);
	put_key(&keys[1]);
	return ret;
}

/* The operation of FUTEX_WAKE_OP on the second word. *old: what it was. 0, -ENOSYS, -EFAULT. */
static int apply_op(u32 encoded, u32 __user *uaddr, u32 *old)
{
	unsigned int op = (encoded >> 28) & 7;
	int arg = (int)(encoded << 8) >> 20;
	u32 found, new;
	int err;

	if (encoded & ((u32)FUTEX_OP_OPARG_SHIFT << 28))
		arg = (int)(1U << (arg & 31));
	if (op > FUTEX_OP_XOR)
		return -ENOSYS;
	err = get_user_u32(old, uaddr);
	while (!err) {
		switch (op) {
		case FUTEX_OP_SET:
			new = (u32)arg;
			break;
		case FUTEX_OP_ADD:
			new = *old + (u32)arg;
			break;
		case FUTEX_OP_OR:
			new = *old | (u32)arg;
			break;
		case FUTEX_OP_ANDN:
			new = *old & ~(u32)arg;
			break;
		default:
			new = *old ^ (u32)arg;
			break;
		}
		found = *old;
		err = cmpxchg_user_u32(uaddr, &found, new);
		if (!err && found == *old)
			return 0;
		*old = found;
	}
	return err;
}

/* 1: the old value satisfies the comparison, 0: not, or -ENOSYS. */
static int op_compares(u32 encoded, u32 old)
{
	int a = (int)old, b = (int)(encoded << 20) >> 20;

	switch ((encoded >> 24) & 15) {
	case FUTEX_OP_CMP_EQ:
		return a == b;
	case FUTEX_OP_CMP_NE:
		return a != b;
	case FUTEX_OP_CMP_LT:
		return a < b;
	case FUTEX_OP_CMP_LE:
		return a <= b;
	case FUTEX_OP_CMP_GT:
		return a > b;
	case FUTEX_OP_CMP_GE:
		return a >= b;
	default:
		return -ENOSYS;
	}
}

/*
 * The operation comes before the locks: who begins to wait for the second word in between has seen its
 * new value, and is woken for nothing at worst.
 */
static int futex_wake_op(u32 __user *uaddr, bool private, int nr_wake, int nr_wake2,
			 u32 __user *uaddr2, u32 encoded)
{
	struct futex_bucket *b1, *b2;
	struct futex_key keys[2];
	int ret, also;
	u32 old;

	ret = get_two_keys(uaddr, uaddr2, private, keys);
	if (ret)
		return ret;
	ret = apply_op(encoded, uaddr2, &old);
	also = ret ? ret : op_compares(encoded, old);
	ret = min(also, 0);
	if (!ret) {
		b1 = bucket_of(&keys[0]);
		b2 = bucket_of(&keys[1]);
		lock_two(b1, b2);
		ret = wake_locked(b1, &keys[0], nr_wake, FUTEX_BITSET_MATCH_ANY);
		if (also)
			ret += wake_locked(b2, &keys[1], nr_wake2, FUTEX_BITSET_MATCH_ANY);
		unlock_two(b1, b2);
	}
	put_key(&keys[0]);
	put_key(&keys[1]);
	return ret;
}

/* ---- the system calls ---- */

static int get_deadline(u64 *deadline, const struct timespec __user *uts, int cmd, bool realtime)
{
	u64 ns;
	int err;

	*deadline = NEVER;
	if (!uts)
		return 0;
	err = get_user_timespec(&ns, uts);
	if (err)
		return err;
	if (cmd == FUTEX_WAIT)
		*deadline = deadline_after(ns);
	else
		*deadline = realtime ? realtime_to_clock(ns) : ns;
	return 0;
}

SYSCALL_DEFINE6(futex, u32 __user *, uaddr, int, op, u32, val, const struct timespec __user *, uts,
		u32 __user *, uaddr2, u32, val3)
{
	bool private = op & FUTEX_PRIVATE_FLAG, realtime = op & FUTEX_CLOCK_REALTIME;
	int cmd = op & FUTEX_CMD_MASK, val2 = (int)(unsigned long)uts, err;
	u64 deadline;

	if (realtime && cmd != FUTEX_WAIT_BITSET && cmd != FUTEX_WAIT_REQUEUE_PI &&
	    cmd != FUTEX_LOCK_PI2)
		return -ENOSYS;
	switch (cmd) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		err = get_deadline(&deadline, uts, cmd, realtime);
		if (err)
			return err;
		return futex_wait(uaddr, private, val, deadline,
				  cmd == FUTEX_WAIT ? FUTEX_BITSET_MATCH_ANY : val3);
	case FUTEX_WAKE:
		return futex_wake(uaddr, private, (int)val, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET:
		return futex_wake(uaddr, private, (int)val, val3);
	case FUTEX_REQUEUE:
		return futex_requeue(uaddr, private, (int)val, val2, uaddr2, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(uaddr, private, (int)val, val2, uaddr2, &val3);
	case FUTEX_WAKE_OP:
		return futex_wake_op(uaddr, private, (int)val, val2, uaddr2, val3);
	default:
		return -ENOSYS;
	}
}

SYSCALL_DEFINE2(set_robust_list, struct robust_list_head __user *, head, size_t, len)
{
	if (len != sizeof(*head))
		return -EINVAL;
	current->robust_list = head;
	current->robust_list_len = len;
	return 0;
}

SYSCALL_DEFINE3(get_robust_list, int, tid, u64 __user *, head, u64 __user *, len)
{
	const struct cred *c = &current->cred;
	u64 value = 0;
	struct task *t;
	int err = -ESRCH;

	spin_lock(&tasklist_lock);
	t = tid ? task_find(tid) : current;
	if (t) {
		value = (u64)READ_ONCE(t->robust_list);
		err = t->process == current->process ||
				      (t->cred.user_ns == c->user_ns && t->cred.uid == c->uid) ||
				      ns_capable(t->cred.user_ns, CAP_SYS_PTRACE)
			      ? 0
			      : -EPERM;
	}
	spin_unlock(&tasklist_lock);
	if (err)
		return err;
	if (put_user_u64(sizeof(struct robust_list_head), len) || put_user_u64(value, head))
		return -EFAULT;
	return 0;
}

/* ---- the end of a task ---- */

/* The owner of this robust futex dies: says so in the word and wakes one waiter. */
static void robust_death(u32 __user *uaddr, bool pending_op)
{
	u32 tid = (u32)current->tid, old, found;

	if ((unsigned long)uaddr % sizeof(u32) || get_user_u32(&old, uaddr))
		return;
	/* Died between releasing the lock and waking the next owner. */
	if (pending_op && !old) {
		(void)futex_wake(uaddr, false, 1, FUTEX_BITSET_MATCH_ANY);
		return;
	}
	for (;;) {
		if ((old & FUTEX_TID_MASK) != tid)
			return;
		found = old;
		if (cmpxchg_user_u32(uaddr, &found, (old & FUTEX_WAITERS) | FUTEX_OWNER_DIED))
			return;
		if (found == old)
			break;
		old = found;
	}
	if (old & FUTEX_WAITERS)
		(void)futex_wake(uaddr, false, 1, FUTEX_BITSET_MATCH_ANY);
}

/*
 * The list is the program's memory: every step may fail, and it may be a ring. Bit 0 marks PI
 * mutexes.
 */
static void exit_robust_list(struct task *t)
{
	struct robust_list_head head;
	u64 entry, next, pending;
	unsigned int n;

	if (copy_from_user(&head, t->robust_list, sizeof(head)))
		return;
	pending = head.list_op_pending & ~1UL;
	entry = head.next;
	for (n = 0; n < ROBUST_LIST_LIMIT; n++) {
		u64 addr = entry & ~1UL;
		int err;

		if (addr == (u64)t->robust_list)
			break;
		/* Read first: the waiter that is woken may reuse the entry. */
		err = get_user_u64(&next, (const void __user *)addr);
		if (addr != pending)
			robust_death((u32 __user *)(addr + (u64)head.futex_offset), false);
		if (err)
			break;
		entry = next;
		cond_resched();
	}
	if (pending)
		robust_death((u32 __user *)(pending + (u64)head.futex_offset), true);
}

void futex_exit(struct task *t)
{
	u32 __user *tidptr = t->clear_child_tid;

	if (t->robust_list) {
		exit_robust_list(t);
		t->robust_list = NULL;
	}
	if (tidptr) {
		t->clear_child_tid = NULL;
		/* Nobody else could see it in an address space that ends with this task. */
		if (t->mm && atomic_read(&t->mm->users) > 1) {
			(void)!put_user_u32(0, tidptr);
			(void)futex_wake(tidptr, false, 1, FUTEX_BITSET_MATCH_ANY);
		}
	}
}
