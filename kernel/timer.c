/* SPDX-License-Identifier: MIT
 *
 * Kernel timers: a red-black tree ordered by expiry on each CPU. A timer belongs to the CPU that armed
 * it last, runs there, and wakes no other: each CPU programs its event for the earlier of its first timer
 * and its scheduler's tick, and an idle CPU has no tick. A cancelled timer leaves its event programmed: an
 * interrupt that finds nothing to do costs less than asking the hardware each time.
 *
 * timer->base says whose lock guards the timer. It changes under the lock of the base that is left, and
 * not while the callback runs there: so whoever holds the base's lock also knows whether it does.
 */
#include <arch/irq.h>
#include <kern/assert.h>
#include <kern/err.h>
#include <kernel/task.h>
#include <kernel/time.h>
#include <kernel/timer.h>

/* A CPU's timers. */
struct timer_base {
	spinlock_t lock;       /* irqsave */
	struct rb_root root;   /* [lock] struct timer by expires_ns */
	struct timer *first;   /* [lock] or NULL */
	struct timer *running; /* [lock] whose callback is at work */
	u64 programmed;	       /* own CPU: the event it has asked for */
} __aligned(64);

static struct timer_base bases[MAX_CPUS];

/* Interrupts are off. */
static struct timer_base *this_base(void)
{
	return &bases[cpu_id()];
}

void timers_init(void)
{
	unsigned int i;

	for (i = 0; i < MAX_CPUS; i++) {
		spin_lock_init(&bases[i].lock);
		bases[i].programmed = NEVER;
	}
	time_init();
}

static struct timer *timer_of(struct rb_node *node)
{
	return node ? rb_entry(node, struct timer, node) : NULL;
}

/* Locks the base that t belongs to; t may go to another until the lock is held. Interrupts off. */
static struct timer_base *lock_base_of(struct timer *t)
{
	for (;;) {
		struct timer_base *base = READ_ONCE(t->base);

		spin_lock(&base->lock);
		if (likely(base == t->base))
			return base;
		spin_unlock(&base->lock);
	}
}

/* base is this CPU's. */
static void program(struct timer_base *base, u64 deadline)
{
	if (deadline < base->programmed) {
		base->programmed = deadline;
		arch_timer_set(deadline);
	}
}

static void timer_insert(struct timer_base *base, struct timer *t)
{
	struct rb_node **link = &base->root.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = t->expires_ns < timer_of(parent)->expires_ns ? &parent->left
								    : &parent->right;
	}
	rb_insert(&base->root, &t->node, parent, link, NULL);
	if (!base->first || t->expires_ns < base->first->expires_ns)
		base->first = t;
	WRITE_ONCE(t->armed, true);
}

static bool timer_remove(struct timer_base *base, struct timer *t)
{
	if (!t->armed)
		return false;
	if (base->first == t)
		base->first = timer_of(rb_next(&t->node));
	rb_erase(&base->root, &t->node, NULL);
	WRITE_ONCE(t->armed, false);
	return true;
}

/*
 * Brings t, disarmed, to this CPU's base and locks that, unless its callback is at work on another
 * CPU: that one looks at its timers again when the callback is over. Interrupts off. Returns the base.
 */
static struct timer_base *bring_here(struct timer *t)
{
	struct timer_base *here = this_base(), *base;

	if (!t->base)
		t->base = here;
	for (;;) {
		base = lock_base_of(t);
		(void)timer_remove(base, t);
		if (likely(base == here) || base->running == t)
			return base;
		WRITE_ONCE(t->base, here);
		spin_unlock(&base->lock);
	}
}

void timer_set(struct timer *t, u64 expires_ns)
{
	irqflags_t flags = irq_save();
	struct timer_base *base = bring_here(t);

	t->expires_ns = expires_ns;
	timer_insert(base, t);
	if (base->first == t && base == this_base())
		program(base, expires_ns);
	spin_unlock_irqrestore(&base->lock, flags);
}

/* The callback is at work on another CPU. On our own it would be the caller. base locked. */
static bool runs_elsewhere(const struct timer_base *base, const struct timer *t)
{
	return unlikely(base->running == t) && base != this_base();
}

bool timer_try_cancel(struct timer *t)
{
	irqflags_t flags;
	struct timer_base *base;
	bool done;

	if (!READ_ONCE(t->base))
		return true;
	flags = irq_save();
	base = lock_base_of(t);
	done = !runs_elsewhere(base, t);
	if (done)
		(void)timer_remove(base, t);
	spin_unlock_irqrestore(&base->lock, flags);
	return done;
}

bool timer_cancel(struct timer *t)
{
	bool was_armed = false, again;

	if (!READ_ONCE(t->base))
		return false;
	do {
		irqflags_t flags = irq_save();
		struct timer_base *base = lock_base_of(t);

		was_armed |= timer_remove(base, t);
		again = runs_elsewhere(base, t);
		spin_unlock_irqrestore(&base->lock, flags);
		if (again)
			cpu_relax();
	} while (again);
	return was_armed;
}

static void run_expired(struct timer_base *base, u64 now)
{
	struct timer *t;

	spin_lock(&base->lock);
	while ((t = base->first) && t->expires_ns <= now) {
		timer_remove(base, t);
		base->running = t;
		spin_unlock(&base->lock);
		t->func(t);
		spin_lock(&base->lock);
		base->running = NULL; /* whoever cancels t may free it from now on */
	}
	spin_unlock(&base->lock);
}

void timer_reprogram(void)
{
	struct timer_base *base = this_base();
	u64 next = sched_next_tick();

	spin_lock(&base->lock);
	if (base->first)
		next = min(next, base->first->expires_ns);
	program(base, next);
	spin_unlock(&base->lock);
}

void timer_interrupt(bool from_user)
{
	struct timer_base *base = this_base();
	u64 now = clock_ns();

	base->programmed = NEVER;
	run_expired(base, now);
	if (now >= sched_next_tick()) {
		sched_tick(from_user);
		itimer_tick(current->process);
	}
	timer_reprogram();
}

/* ---- sleeping ---- */

struct sleeper {
	struct timer timer;
	struct task *task;
	bool fired;
};

static void sleeper_wake(struct timer *t)
{
	struct sleeper *s = container_of(t, struct sleeper, timer);

	WRITE_ONCE(s->fired, true);
	unpark(s->task);
}

int sleep_until(u64 deadline_ns, enum park_mode mode)
{
	struct sleeper s = { .timer = { .func = sleeper_wake }, .task = current };
	int ret = 0;

	if (clock_ns() >= deadline_ns)
		return 0;
	if (deadline_ns != NEVER)
		timer_set(&s.timer, deadline_ns);
	while (!READ_ONCE(s.fired)) {
		if (park_interrupted(mode)) {
			ret = -ERESTARTSYS;
			break;
		}
		park(mode);
	}
	timer_cancel(&s.timer);
	return ret;
}
