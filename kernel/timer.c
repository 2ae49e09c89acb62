/* SPDX-License-Identifier: MIT
 *
 * Kernel timers: one red-black tree ordered by expiry. Each CPU programs its own event for the
 * earlier of the first timer and its scheduler's tick, so a timer runs on the CPU that armed it or
 * on one that got an interrupt first. An idle CPU has no tick. A cancelled timer leaves its event
 * programmed: an interrupt that finds nothing to do costs less than asking the hardware each time.
 */
#include <kern/err.h>
#include <kernel/task.h>
#include <kernel/time.h>
#include <kernel/timer.h>

static struct {
	spinlock_t lock;		 /* irqsave */
	struct rb_root root;		 /* [lock] struct timer by expires_ns */
	struct timer *first;		 /* [lock] or NULL */
	unsigned int nr_running;	 /* [lock] callbacks at work */
	struct timer *running[MAX_CPUS]; /* [lock] */
} timers;

/* The event each CPU has asked for; only used on that CPU, interrupts off. */
static u64 programmed[MAX_CPUS];

void timers_init(void)
{
	unsigned int i;

	spin_lock_init(&timers.lock);
	for (i = 0; i < MAX_CPUS; i++)
		programmed[i] = NEVER;
	time_init();
}

static struct timer *timer_of(struct rb_node *node)
{
	return node ? rb_entry(node, struct timer, node) : NULL;
}

static void program(u64 deadline)
{
	u64 *event = &programmed[cpu_id()];

	if (deadline < *event) {
		*event = deadline;
		arch_timer_set(deadline);
	}
}

static void timer_insert(struct timer *t)
{
	struct rb_node **link = &timers.root.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = t->expires_ns < timer_of(parent)->expires_ns ? &parent->left
								    : &parent->right;
	}
	rb_insert(&timers.root, &t->node, parent, link, NULL);
	if (!timers.first || t->expires_ns < timers.first->expires_ns)
		timers.first = t;
	t->armed = true;
}

static bool timer_remove(struct timer *t)
{
	if (!t->armed)
		return false;
	if (timers.first == t)
		timers.first = timer_of(rb_next(&t->node));
	rb_erase(&timers.root, &t->node, NULL);
	t->armed = false;
	return true;
}

void timer_set(struct timer *t, u64 expires_ns)
{
	irqflags_t flags = spin_lock_irqsave(&timers.lock);

	timer_remove(t);
	t->expires_ns = expires_ns;
	timer_insert(t);
	if (timers.first == t)
		program(expires_ns);
	spin_unlock_irqrestore(&timers.lock, flags);
}

bool timer_try_cancel(struct timer *t)
{
	irqflags_t flags = spin_lock_irqsave(&timers.lock);
	bool was_armed = timer_remove(t);

	spin_unlock_irqrestore(&timers.lock, flags);
	return was_armed;
}

/* The callback is at work on another CPU. On our own it would be the caller. */
static bool runs_elsewhere(const struct timer *t)
{
	unsigned int i;

	if (likely(!timers.nr_running))
		return false;
	for (i = 0; i < MAX_CPUS; i++)
		if (timers.running[i] == t && i != cpu_id())
			return true;
	return false;
}

bool timer_cancel(struct timer *t)
{
	bool was_armed = false, again;

	do {
		irqflags_t flags = spin_lock_irqsave(&timers.lock);

		was_armed |= timer_remove(t);
		again = runs_elsewhere(t);
		spin_unlock_irqrestore(&timers.lock, flags);
		if (again)
			cpu_relax();
	} while (again);
	return was_armed;
}

static void run_expired(u64 now)
{
	struct timer *t;

	spin_lock(&timers.lock);
	while ((t = timers.first) && t->expires_ns <= now) {
		timer_remove(t);
		timers.running[cpu_id()] = t;
		timers.nr_running++;
		spin_unlock(&timers.lock);
		t->func(t); /* t may be gone afterwards */
		spin_lock(&timers.lock);
		timers.nr_running--;
		timers.running[cpu_id()] = NULL;
	}
	spin_unlock(&timers.lock);
}

void timer_reprogram(void)
{
	u64 next = sched_next_tick();

	spin_lock(&timers.lock);
	if (timers.first)
		next = min(next, timers.first->expires_ns);
	program(next);
	spin_unlock(&timers.lock);
}

void timer_interrupt(bool from_user)
{
	u64 now = clock_ns();

	programmed[cpu_id()] = NEVER;
	run_expired(now);
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
