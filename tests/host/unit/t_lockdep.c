/* SPDX-License-Identifier: MIT
 *
 * The lock-order checker: each mistake it knows ends in its report, and nothing else does. A mistake is made
 * in a child process, with a class of its own.
 */
#include "t.h"

static spinlock_t a, b, c;
static struct rwsem sem, other;

static void init_locks(void)
{
	spin_lock_init(&a);
	spin_lock_init(&b);
	spin_lock_init(&c);
	rwsem_init(&sem);
	rwsem_init(&other);
}

static void take_both(spinlock_t *first, spinlock_t *second)
{
	spin_lock(first);
	spin_lock(second);
	spin_unlock(second);
	spin_unlock(first);
}

static void circle_of_two(void)
{
	take_both(&a, &b);
	take_both(&b, &a);
}

static void circle_of_three(void)
{
	take_both(&a, &b);
	take_both(&b, &c);
	take_both(&c, &a);
}

static void sleeping_circle(void)
{
	down_read(&sem);
	down_write(&other);
	up_write(&other);
	up_read(&sem);
	down_read(&other);
	down_read(&sem);
}

static void twice(void)
{
	spin_lock(&a);
	spin_lock(&a);
}

static void read_twice(void)
{
	down_read(&sem);
	down_read(&sem);
}

static void not_held(void)
{
	down_read(&sem);
	up_read(&sem);
	up_read(&sem);
}

static void two_of_a_class(void)
{
	spinlock_t two[2];

	for (unsigned int i = 0; i < 2; i++)
		spin_lock_init(&two[i]);
	take_both(&two[0], &two[1]);
}

static void sleep_with_spinlock(void)
{
	spin_lock(&a);
	down_read(&sem);
}

static void allocate_with_spinlock(void)
{
	spin_lock(&a);
	kfree(kmalloc(8, GFP_KERNEL));
}

static void resched_with_spinlock(void)
{
	spin_lock(&a);
	cond_resched();
}

static void irq_unsafe(void)
{
	spin_lock(&a);
	spin_unlock(&a);
	sim_cpu.irq_depth = 1;
	spin_lock(&a);
}

static void take_irqs_off(spinlock_t *l)
{
	spin_unlock_irqrestore(l, spin_lock_irqsave(l));
}

static void hold_and_wait(spinlock_t *l)
{
	spin_lock(l);
	lockdep_ipi_wait();
	spin_unlock(l);
}

static void ipi_then_irqs_off(void)
{
	hold_and_wait(&a);
	take_irqs_off(&a);
}

static void irqs_off_then_ipi(void)
{
	take_irqs_off(&a);
	hold_and_wait(&a);
}

/* b's holder waits for a, whose holder waits for other CPUs. */
static void ipi_behind_another_lock(void)
{
	take_both(&b, &a);
	take_irqs_off(&b);
	hold_and_wait(&a);
}

static void ipi_behind_two_locks(void)
{
	hold_and_wait(&a);
	take_irqs_off(&c);
	take_both(&c, &b);
	take_both(&b, &a);
}

static void ipi_with_irqs_off(void)
{
	(void)irq_save();
	lockdep_ipi_wait();
}

static void test_mistakes(void **state)
{
	static void (*const mistakes[])(void) = {
		circle_of_two,
		circle_of_three,
		sleeping_circle,
		twice,
		read_twice,
		not_held,
		two_of_a_class,
		sleep_with_spinlock,
		allocate_with_spinlock,
		resched_with_spinlock,
		irq_unsafe,
		ipi_then_irqs_off,
		irqs_off_then_ipi,
		ipi_behind_another_lock,
		ipi_behind_two_locks,
		ipi_with_irqs_off,
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(mistakes); i++)
		t_must_die(mistakes[i]);
}

static void test_allowed(void **state)
{
	spinlock_t two[2];
	irqflags_t flags;

	(void)state;
	for (unsigned int i = 0; i < 2; i++)
		spin_lock_init(&two[i]);
	spin_lock(&two[0]);
	spin_lock_nested(&two[1]);
	/* out of order, which is nobody's business */
	spin_unlock(&two[0]);
	spin_unlock(&two[1]);

	take_both(&a, &b);
	spin_lock(&b);
	assert_true(spin_trylock(&a)); /* does not wait */
	spin_unlock(&a);
	spin_unlock(&b);

	down_read(&sem);
	spin_lock(&c);
	kfree(kmalloc(8, GFP_ATOMIC));
	spin_unlock(&c);
	assert_int_equal(down_write_killable(&other), 0);
	up_write(&other);
	up_read(&sem);

	flags = spin_lock_irqsave(&two[0]);
	spin_unlock_irqrestore(&two[0], flags);
}

static void test_ipi_wait_allowed(void **state)
{
	spinlock_t outer, held, inner;
	irqflags_t flags;

	(void)state;
	spin_lock_init(&outer);
	spin_lock_init(&held);
	spin_lock_init(&inner);
	lockdep_ipi_wait();
	hold_and_wait(&held);
	hold_and_wait(&held);
	take_both(&outer, &held);
	take_both(&held, &inner);
	take_irqs_off(&inner); /* its holder waits for nobody */
	flags = irq_save();
	assert_true(spin_trylock(&held)); /* does not wait */
	spin_unlock(&held);
	irq_restore(flags);
}

static void test_killed_waiter_holds_nothing(void **state)
{
	(void)state;
	down_write(&sem);
	sim_caller.fatal_signal = true;
	assert_false(down_read_trylock(&sem));
	sim_caller.fatal_signal = false;
	up_write(&sem);
	assert_int_equal(lockdep_task_stack()->nr, 0);
	assert_int_equal(lockdep_cpu_stack()->nr, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_killed_waiter_holds_nothing),
		cmocka_unit_test(test_ipi_wait_allowed),
	};

	init_locks();
	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
