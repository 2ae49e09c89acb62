/* SPDX-License-Identifier: MIT
 *
 * sigaltstack.
 */
#include "test.h"

static char stack[32 * 1024] __attribute__((aligned(16)));
static volatile int on_stack, flags_inside;
static volatile long change_result;

static bool within(const void *p)
{
	return (const char *)p >= stack && (const char *)p < stack + sizeof(stack);
}

static void handler(int sig UNUSED)
{
	char here;
	stack_t ss, other = { .ss_sp = stack, .ss_size = sizeof(stack) };

	on_stack = within(&here);
	sigaltstack(NULL, &ss);
	flags_inside = ss.ss_flags;
	change_result = SYS(sigaltstack, &other, NULL);
}

static void install(int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	MUST(!sigaction(SIGUSR1, &sa, NULL));
}

TEST(used, "SA_ONSTACK handlers run on it and see SS_ONSTACK; it cannot be changed there: EPERM")
{
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) }, old;

	CHECK_OK(sigaltstack(&ss, &old));
	CHECK_EQ(old.ss_flags, SS_DISABLE);
	install(SA_ONSTACK);
	raise(SIGUSR1);
	CHECK_EQ(on_stack, 1);
	CHECK_EQ(flags_inside, SS_ONSTACK);
	CHECK_EQ(change_result, -EPERM);
	CHECK_OK(sigaltstack(NULL, &old));
	CHECK_EQ(old.ss_flags, 0);
	CHECK(old.ss_sp == stack && old.ss_size == sizeof(stack));
}

TEST(not_used, "handlers without SA_ONSTACK do not")
{
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };

	MUST(!sigaltstack(&ss, NULL));
	install(0);
	raise(SIGUSR1);
	CHECK_EQ(on_stack, 0);
	CHECK_EQ(flags_inside, 0);
}

TEST(disabled, "SS_DISABLE: on the ordinary stack again")
{
	stack_t ss = { .ss_flags = SS_DISABLE };

	MUST(!sigaltstack(&ss, NULL));
	install(SA_ONSTACK);
	raise(SIGUSR1);
	CHECK_EQ(on_stack, 0);
	CHECK_EQ(flags_inside, SS_DISABLE);
	ss.ss_flags = SS_DISABLE;
	MUST(!sigaltstack(&ss, NULL));
}

TEST(errors, "too small: ENOMEM; unknown flags: EINVAL")
{
	stack_t ss = { .ss_sp = stack, .ss_size = 1024 };

	CHECK_EQ(SYS(sigaltstack, &ss, NULL), -ENOMEM);
	ss.ss_size = sizeof(stack);
	ss.ss_flags = 0x1234;
	CHECK_EQ(SYS(sigaltstack, &ss, NULL), -EINVAL);
}

TEST(autodisarm, "SS_AUTODISARM: disarmed in the handler, armed again after it")
{
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack), .ss_flags = (int)(1U << 31) }, now;

	CHECK_OK(sigaltstack(&ss, NULL));
	install(SA_ONSTACK);
	raise(SIGUSR1);
	CHECK_EQ(on_stack, 1);
	CHECK_EQ(flags_inside, SS_DISABLE);
	CHECK_OK(sigaltstack(NULL, &now));
	CHECK(now.ss_sp == stack);
	ss.ss_flags = SS_DISABLE;
	MUST(!sigaltstack(&ss, NULL));
}

TEST(inherited, "fork keeps it")
{
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };

	MUST(!sigaltstack(&ss, NULL));
	install(SA_ONSTACK);
	IN_CHILD
	{
		raise(SIGUSR1);
		CHECK_EQ(on_stack, 1);
	}
	ss.ss_flags = SS_DISABLE;
	MUST(!sigaltstack(&ss, NULL));
}

TEST(full, "a frame that does not fit on the alternate stack kills with SIGSEGV")
{
	pid_t pid = fork_checked();

	if (!pid) {
		char *p = map_anon(8 * PAGE, RW);
		stack_t ss = { .ss_sp = p, .ss_size = 8 * PAGE };

		MUST(!sigaltstack(&ss, NULL));
		MUST(!mprotect(p, 8 * PAGE, PROT_READ));
		install(SA_ONSTACK);
		kill(getpid(), SIGUSR1);
		_exit(0);
	}
	int status = wait_for(pid);

	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

TEST_MAIN()
