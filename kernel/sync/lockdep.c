/* SPDX-License-Identifier: MIT
 *
 * The lock-order checker: it learns the order of locks from what happens, and reports the first step that
 * could deadlock, whether or not it does this time.
 *
 * Locks fall into classes (<sync/lockdep.h>). A class has two nodes in a graph: one for locks taken on
 * their own, one for those taken as the second of two of the class (LOCKDEP_NESTED). Taking a lock while
 * others are held adds an edge from each of theirs to its node, with the call chain. An edge that closes a
 * cycle is a report, with the chains of all edges in it. The order of reading and writing is not told
 * apart: with a writer queued, readers wait for each other too.
 *
 * Also reported: taking a lock twice; two of one class without LOCKDEP_NESTED; releasing what is not held;
 * waiting where a spinlock is held or in an interrupt handler; a spinlock that a handler takes and
 * that is taken elsewhere with interrupts on.
 *
 * A CPU that waits until others have done something (smp_call()) waits for ever when one of them has
 * interrupts off and waits for a lock of its. So lockdep_ipi_wait() marks the classes that the caller holds,
 * and all that are ever held while one of them is waited for: the edges followed backwards. To wait for
 * such a lock with interrupts off is a report, whichever is seen first.
 *
 * Held spinlocks belong to the CPU, since nothing is preempted with one held (the scheduler's own is
 * released by the next task); sleeping locks belong to the task. A handler's spinlocks have no order with
 * those of what it interrupted.
 *
 * A report is the lines "BUG: lockdep: ..." and a panic. mimiker's checker is the model.
 */
#ifdef CONFIG_DEBUG

#include <arch/cpu.h>
#include <arch/irq.h>
#include <kern/assert.h>
#include <sync/lockdep.h>

#define MAX_CLASSES 128
#define MAX_NODES (2 * MAX_CLASSES)
#define MAX_EDGES 1024
#define CHAIN 8

enum { USED_IN_IRQ = 1, USED_WITH_IRQS_ON = 2, AWAITED_WITH_IRQS_OFF = 4, HELD_FOR_IPI = 8 };

struct lock_class {
	const char *name; /* NULL: a static lock, known by its first acquisition */
	const void *lock;
	unsigned long first_ip;
	unsigned int uses; /* [A] */
	/* Who used it so: one of the first. [A] */
	unsigned long irq_ip, irqs_on_ip, irqs_off_ip, ipi_ip;
	u32 ipi_via; /* HELD_FOR_IPI because this class was waited for under it; or itself */
};

struct edge {
	u32 from, to;
	unsigned long held_ip;	    /* who took from */
	unsigned long chain[CHAIN]; /* who took to */
};

static bool graph_busy; /* the lock of what follows: not a spinlock, which would call back */
static struct lock_class classes[MAX_CLASSES];
static u32 nr_classes = 1; /* 0 is none */
static struct edge edges[MAX_EDGES];
static u32 nr_edges;
static u64 follows[MAX_NODES][MAX_NODES / 64]; /* bit: an edge; read without the lock */
static bool off;			       /* after the first report */

/* Interrupts are off. */
static void graph_lock(void)
{
	while (__atomic_exchange_n(&graph_busy, true, __ATOMIC_ACQUIRE))
		cpu_relax();
}

static void graph_unlock(void)
{
	__atomic_store_n(&graph_busy, false, __ATOMIC_RELEASE);
}

/* ---- reports ---- */

static void print_node(u32 node)
{
	const struct lock_class *c = &classes[node / 2];

	if (c->name)
		lockdep_print("  %s%s\n", c->name, node % 2 ? " (nested)" : "");
	else
		lockdep_print("  the lock at %p%s, first taken in\n", c->lock,
			      node % 2 ? " (nested)" : "");
	if (!c->name)
		lockdep_print_address(c->first_ip);
}

static void print_held(const struct lockdep_stack *s)
{
	for (unsigned int i = 0; i < s->nr; i++) {
		print_node(s->held[i].node);
		lockdep_print_address(s->held[i].ip);
	}
}

/* True for the caller that may report: the first. */
static bool report_begins(const char *what)
{
	if (__atomic_exchange_n(&off, true, __ATOMIC_ACQ_REL))
		return false;
	lockdep_print("\nBUG: lockdep: %s\n", what);
	return true;
}

static void __noreturn report_ends(void)
{
	unsigned long chain[CHAIN];

	lockdep_print("held, each with who took it:\n");
	print_held(lockdep_task_stack());
	print_held(lockdep_cpu_stack());
	lockdep_print("now in\n");
	lockdep_callers(chain, CHAIN);
	for (unsigned int i = 0; i < CHAIN && chain[i]; i++)
		lockdep_print_address(chain[i]);
	panic("lockdep");
}

static void report(const char *what, u32 node)
{
	if (!report_begins(what))
		return;
	if (node)
		print_node(node);
	report_ends();
}

static void print_edge(const struct edge *e)
{
	lockdep_print("while this was held\n");
	print_node(e->from);
	lockdep_print_address(e->held_ip);
	lockdep_print("this was taken\n");
	print_node(e->to);
	for (unsigned int i = 0; i < CHAIN && e->chain[i]; i++)
		lockdep_print_address(e->chain[i]);
}

/* ---- classes ---- */

/* Graph locked. */
static u32 new_class(const char *name, const void *lock, unsigned long ip)
{
	if (nr_classes == MAX_CLASSES)
		panic("lockdep: more than %d lock classes", MAX_CLASSES);
	classes[nr_classes] = (struct lock_class){ .name = name, .lock = lock, .first_ip = ip };
	return nr_classes++;
}

u32 lockdep_class(struct lockdep_key *key)
{
	u32 class = __atomic_load_n(&key->class, __ATOMIC_ACQUIRE);
	irqflags_t flags;

	if (likely(class))
		return class;
	flags = irq_save();
	graph_lock();
	class = key->class;
	if (!class) {
		class = new_class(key->name, NULL, 0);
		__atomic_store_n(&key->class, class, __ATOMIC_RELEASE);
	}
	graph_unlock();
	irq_restore(flags);
	return class;
}

/* Of a lock, which gets one when it has none. Interrupts are off. */
static u32 class_of(u32 *class, const void *lock, unsigned long ip)
{
	u32 c = __atomic_load_n(class, __ATOMIC_ACQUIRE);

	if (likely(c))
		return c;
	graph_lock();
	c = __atomic_load_n(class, __ATOMIC_RELAXED);
	if (!c) {
		c = new_class(NULL, lock, ip);
		__atomic_store_n(class, c, __ATOMIC_RELEASE);
	}
	graph_unlock();
	return c;
}

/* ---- the graph ---- */

static bool has_edge(u32 from, u32 to)
{
	return __atomic_load_n(&follows[from][to / 64], __ATOMIC_RELAXED) >> (to % 64) & 1;
}

/*
 * The edges of a path between two nodes, last one first, into path; 0 when there is none. Breadth first;
 * graph locked.
 */
static unsigned int find_path(u32 from, u32 to, u16 *path, unsigned int max)
{
	static u16 via[MAX_NODES], queue[MAX_NODES]; /* edge number + 1 that reached the node */
	unsigned int head = 0, tail = 0, n = 0;

	for (u32 i = 0; i < MAX_NODES; i++)
		via[i] = 0;
	queue[tail++] = (u16)from;
	while (head < tail && !via[to]) {
		u32 node = queue[head++];

		for (u32 i = 0; i < nr_edges; i++) {
			u32 next = edges[i].to;

			if (edges[i].from != node || via[next] || next == from)
				continue;
			via[next] = (u16)(i + 1);
			queue[tail++] = (u16)next;
		}
	}
	for (u32 node = to; via[node] && n < max; node = edges[via[node] - 1].from)
		path[n++] = (u16)(via[node] - 1);
	return n;
}

/* The edge closes a circle with those of the path. Edges are never changed, so no lock is needed. */
static void report_circle(const struct edge *e, const u16 *path, unsigned int n)
{
	if (!report_begins("locks are taken in a circle"))
		return;
	print_edge(e);
	while (n--)
		print_edge(&edges[path[n]]);
	report_ends();
}

/* ---- who waits for other CPUs ---- */

static bool has_uses(u32 class, unsigned int uses)
{
	return (__atomic_load_n(&classes[class].uses, __ATOMIC_ACQUIRE) & uses) == uses;
}

/* A class that is waited for with interrupts off and held by who waits for other CPUs; 0: nothing. */
static void report_ipi(u32 class)
{
	if (!class || !report_begins("a lock is waited for with interrupts off, "
				     "while its holder may wait for other CPUs"))
		return;
	print_node(class * 2);
	lockdep_print("waited for with interrupts off in\n");
	lockdep_print_address(READ_ONCE(classes[class].irqs_off_ip));
	for (; classes[class].ipi_via != class; class = classes[class].ipi_via) {
		lockdep_print("while this was held\n");
		print_node(class * 2);
		lockdep_print_address(READ_ONCE(classes[class].ipi_ip));
		lockdep_print("this was taken\n");
		print_node(classes[class].ipi_via * 2);
	}
	lockdep_print("held while other CPUs were waited for in\n");
	lockdep_print_address(READ_ONCE(classes[class].ipi_ip));
	report_ends();
}

/* Its holder waits for other CPUs (via is the class), or for a lock of via. Graph locked. As below. */
static u32 mark_ipi(u32 class, u32 via, unsigned long ip)
{
	classes[class].ipi_via = via;
	WRITE_ONCE(classes[class].ipi_ip, ip);
	__atomic_or_fetch(&classes[class].uses, HELD_FOR_IPI, __ATOMIC_ACQ_REL);
	return has_uses(class, AWAITED_WITH_IRQS_OFF) ? class : 0;
}

/* Marks backwards along the edges until nothing is new. Graph locked. A class to report, or 0. */
static u32 spread_ipi(void)
{
	bool again;
	u32 bad = 0;

	do {
		again = false;
		for (u32 i = 0; i < nr_edges; i++) {
			u32 from = edges[i].from / 2, to = edges[i].to / 2, wrong;

			if (has_uses(from, HELD_FOR_IPI) || !has_uses(to, HELD_FOR_IPI))
				continue;
			wrong = mark_ipi(from, to, edges[i].held_ip);
			bad = wrong ? wrong : bad;
			again = true;
		}
	} while (again);
	return bad;
}

static void add_edge(u32 from, unsigned long held_ip, u32 to)
{
	struct edge e = { .from = from, .to = to, .held_ip = held_ip };
	u16 path[MAX_NODES];
	unsigned int n;
	u32 bad = 0;

	lockdep_callers(e.chain, CHAIN);
	graph_lock();
	if (has_edge(from, to)) {
		graph_unlock();
		return;
	}
	if (nr_edges == MAX_EDGES)
		panic("lockdep: more than %d edges", MAX_EDGES);
	n = find_path(to, from, path, ARRAY_SIZE(path));
	edges[nr_edges++] = e;
	__atomic_or_fetch(&follows[from][to / 64], 1ULL << (to % 64), __ATOMIC_RELAXED);
	if (has_uses(to / 2, HELD_FOR_IPI))
		bad = spread_ipi();
	graph_unlock();
	if (n)
		report_circle(&e, path, n);
	report_ipi(bad);
}

/* ---- what locks call ---- */

static void report_irq_use(const struct lock_class *c, u32 node)
{
	if (!report_begins("an interrupt handler takes a lock that is held with interrupts on"))
		return;
	print_node(node);
	lockdep_print("taken by a handler in\n");
	lockdep_print_address(READ_ONCE(c->irq_ip));
	lockdep_print("taken with interrupts on in\n");
	lockdep_print_address(READ_ONCE(c->irqs_on_ip));
	report_ends();
}

/* waits: the caller waits if somebody else has the lock. */
static void check_irq_use(u32 class, unsigned long ip, bool irqs_on, bool waits)
{
	struct lock_class *c = &classes[class];
	unsigned int use = irqs_on ? USED_WITH_IRQS_ON : 0;

	if (this_cpu()->irq_depth)
		use = USED_IN_IRQ;
	if (!irqs_on && waits && lockdep_cpu_is_awaited())
		use |= AWAITED_WITH_IRQS_OFF;
	use &= ~__atomic_load_n(&c->uses, __ATOMIC_RELAXED);
	if (!use)
		return;
	if (use & USED_IN_IRQ)
		WRITE_ONCE(c->irq_ip, ip);
	if (use & USED_WITH_IRQS_ON)
		WRITE_ONCE(c->irqs_on_ip, ip);
	if (use & AWAITED_WITH_IRQS_OFF)
		WRITE_ONCE(c->irqs_off_ip, ip);
	__atomic_or_fetch(&c->uses, use, __ATOMIC_ACQ_REL);
	if (has_uses(class, USED_IN_IRQ | USED_WITH_IRQS_ON))
		report_irq_use(c, class * 2);
	if (has_uses(class, AWAITED_WITH_IRQS_OFF | HELD_FOR_IPI))
		report_ipi(class);
}

/* The new lock against those in s. */
static void check_order(const struct lockdep_stack *s, const void *lock, u32 node)
{
	for (unsigned int i = 0; i < s->nr; i++) {
		if (s->held[i].irq_depth != this_cpu()->irq_depth)
			continue;
		if (s->held[i].lock == lock)
			report("a lock is taken twice", node);
		if (s->held[i].node == node)
			report("two locks of one class, and not said to be nested", node);
		else if (unlikely(!has_edge(s->held[i].node, node)))
			add_edge(s->held[i].node, s->held[i].ip, node);
	}
}

static void check_may_sleep(void)
{
	if (this_cpu()->irq_depth)
		report("an interrupt handler may sleep", 0);
	if (lockdep_cpu_stack()->nr)
		report("sleeping with a spinlock held", 0);
}

__noinline void lockdep_acquire(u32 *class, const void *lock, unsigned int how)
{
	unsigned long ip = (unsigned long)__builtin_return_address(0);
	irqflags_t flags = irq_save();
	struct lockdep_stack *cpu = lockdep_cpu_stack(), *task = lockdep_task_stack(), *s;
	u32 c, node;

	if (unlikely(__atomic_load_n(&off, __ATOMIC_RELAXED))) {
		irq_restore(flags);
		return;
	}
	c = class_of(class, lock, ip);
	node = c * 2 + !!(how & LOCKDEP_NESTED);
	if (!(how & LOCKDEP_SLEEPING))
		check_irq_use(c, ip, flags & RFLAGS_IF, !(how & LOCKDEP_TRY));
	if (!(how & LOCKDEP_TRY)) {
		if (how & LOCKDEP_SLEEPING)
			check_may_sleep();
		check_order(task, lock, node);
		check_order(cpu, lock, node);
	}
	s = how & LOCKDEP_SLEEPING ? task : cpu;
	if (s->nr == LOCKDEP_MAX_HELD)
		report("too many locks are held", node);
	s->held[s->nr].lock = lock;
	s->held[s->nr].ip = ip;
	s->held[s->nr].node = node;
	s->held[s->nr].irq_depth = this_cpu()->irq_depth;
	s->nr++;
	irq_restore(flags);
}

void lockdep_release(const void *lock, unsigned int how)
{
	irqflags_t flags = irq_save();
	struct lockdep_stack *s =
		how & LOCKDEP_SLEEPING ? lockdep_task_stack() : lockdep_cpu_stack();
	unsigned int i = s->nr;

	if (unlikely(__atomic_load_n(&off, __ATOMIC_RELAXED))) {
		irq_restore(flags);
		return;
	}
	while (i && s->held[i - 1].lock != lock)
		i--;
	if (!i)
		report("a lock is released that is not held", 0);
	for (; i && i < s->nr; i++)
		s->held[i - 1] = s->held[i];
	if (i)
		s->nr--;
	irq_restore(flags);
}

void lockdep_may_sleep(void)
{
	irqflags_t flags = irq_save();

	if (likely(!__atomic_load_n(&off, __ATOMIC_RELAXED)))
		check_may_sleep();
	irq_restore(flags);
}

__noinline void lockdep_ipi_wait(void)
{
	unsigned long ip = (unsigned long)__builtin_return_address(0);
	irqflags_t flags = irq_save();
	const struct lockdep_stack *s = lockdep_cpu_stack();
	u32 bad = 0;

	if (unlikely(__atomic_load_n(&off, __ATOMIC_RELAXED))) {
		irq_restore(flags);
		return;
	}
	if (!(flags & RFLAGS_IF) || this_cpu()->irq_depth)
		report("other CPUs are waited for with interrupts off", 0);
	for (unsigned int i = 0; i < s->nr; i++) {
		u32 class = s->held[i].node / 2;

		if (likely(has_uses(class, HELD_FOR_IPI) && classes[class].ipi_via == class))
			continue;
		graph_lock();
		bad = mark_ipi(class, class, ip);
		bad = bad ? bad : spread_ipi();
		graph_unlock();
		report_ipi(bad);
	}
	irq_restore(flags);
}

#endif
