/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ktap.h"

#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "child.h"
#include "files.h"

#define MAX_TESTS 64
#define SKIPPED 101 /* a child's exit status: no test has so many failures, see child_exit() */

struct test {
	const char *name;
	void (*fn)(void);
	bool forked;
};

static struct test tests[MAX_TESTS];
static int test_count;

void test_register(const char *name, void (*fn)(void), bool forked)
{
	MUST(test_count < MAX_TESTS);
	tests[test_count++] = (struct test){ name, fn, forked };
}

/* In a child; a signal that ends it is a failure. */
static void run_forked(const struct test *t)
{
	pid_t pid = fork_checked();
	int status;

	if (!pid) {
		t->fn();
		if (test_skipped && !test_failures)
			_exit(SKIPPED);
		child_exit();
	}
	status = wait_for(pid);
	if (WIFSIGNALED(status))
		FAIL("killed by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) == SKIPPED)
		test_skipped = true;
	else
		test_failures += WEXITSTATUS(status);
}

int run_tests(void)
{
	int failed = 0;

	say("KTAP version 1\n1..%d\n", test_count);
	for (int i = 0; i < test_count; i++) {
		const struct test *t = &tests[i];

		test_failures = 0;
		test_skipped = false;
		if (t->forked)
			run_forked(t);
		else
			t->fn();
		failed += !!test_failures;
		if (test_failures)
			say("not ok %d %s # %d failed checks\n", i + 1, t->name, test_failures);
		else
			say("ok %d %s%s\n", i + 1, t->name, test_skipped ? " # SKIP" : "");
	}
	scratch_remove();
	return failed ? 1 : 0;
}
