/* SPDX-License-Identifier: MIT
 *
 * The first task: the boot code itself, which becomes the boot CPU's idle task. Every other task
 * descends from it, so what it starts with is what every program starts with.
 */
#include <kern/park.h>
#include <kern/string.h>
#include <kernel/fork.h>
#include <kernel/pid.h>
#include <kernel/signal.h>
#include <kernel/user.h>
#include <kernel/user_namespace.h>
#include <mm/page_alloc.h>

#define DEFAULT_STACK_LIMIT (8UL << 20)
#define DEFAULT_MEMLOCK_LIMIT (8UL << 20)
#define DEFAULT_MSGQUEUE_LIMIT 819200
#define DEFAULT_NOFILE_SOFT 1024
#define DEFAULT_NOFILE_HARD 4096

static struct task idle_task;
static struct process idle_process;

static void set_limit(unsigned int which, u64 soft, u64 hard)
{
	idle_process.rlimits[which] = (struct rlimit){ soft, hard };
}

/* Linux's defaults. As many tasks as their kernel stacks may take up an eighth of memory. */
static void set_default_limits(void)
{
	u64 max_tasks = totalram_pages() * PAGE_SIZE / KSTACK_SIZE / 8;
	unsigned int i;

	for (i = 0; i < RLIM_NLIMITS; i++)
		set_limit(i, RLIM_INFINITY, RLIM_INFINITY);
	set_limit(RLIMIT_STACK, DEFAULT_STACK_LIMIT, RLIM_INFINITY);
	set_limit(RLIMIT_CORE, 0, RLIM_INFINITY);
	set_limit(RLIMIT_NPROC, max_tasks / 2, max_tasks / 2);
	set_limit(RLIMIT_NOFILE, DEFAULT_NOFILE_SOFT, DEFAULT_NOFILE_HARD);
	set_limit(RLIMIT_MEMLOCK, DEFAULT_MEMLOCK_LIMIT, DEFAULT_MEMLOCK_LIMIT);
	set_limit(RLIMIT_SIGPENDING, max_tasks / 2, max_tasks / 2);
	set_limit(RLIMIT_MSGQUEUE, DEFAULT_MSGQUEUE_LIMIT, DEFAULT_MSGQUEUE_LIMIT);
	set_limit(RLIMIT_NICE, 0, 0);
	set_limit(RLIMIT_RTPRIO, 0, 0);
}

void task_init(void)
{
	struct process *p = &idle_process;
	struct task *t = &idle_task;

	task_caches_init();
	pid_init();
	user_init();

	refcount_set(&p->refs, 1);
	p->leader = t;
	INIT_LIST_HEAD(&p->threads);
	INIT_LIST_HEAD(&p->children);
	wait_queue_init(&p->child_wait);
	spin_lock_init(&p->siglock);
	sigpending_init(&p->pending);
	p->dumpable = true;
	set_default_limits();

	refcount_set(&t->refs, 1);
	t->process = p;
	t->user = user_find(0);
	strscpy(t->comm, "swapper", sizeof(t->comm));
	sigpending_init(&t->pending);
	t->cred.user_ns = &init_user_ns;
	t->cred.cap_effective = CAP_FULL_SET;
	t->cred.cap_permitted = CAP_FULL_SET;
	t->cred.cap_bounding = CAP_FULL_SET;
	t->cpus_allowed = ~0ULL;
	sched_init_idle(t);
}

bool park_on_cpu(const struct task *t)
{
	return READ_ONCE(cpus[READ_ONCE(t->cpu)].current_task) == t;
}
