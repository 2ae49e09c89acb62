/* SPDX-License-Identifier: MIT
 *
 * Tests in several processes: a child's failed checks become its parent's.
 */
#ifndef TESTS_USER_LIB_CHILD_H
#define TESTS_USER_LIB_CHILD_H

#include <sys/types.h>
#include <sys/wait.h>

/* fork(); in the child, checks are counted from 0. */
pid_t fork_checked(void);

/* Ends a child with its count of failed checks as status. */
__attribute__((noreturn)) void child_exit(void);

/* Waits for the child's end: what waitpid() says of it. */
int wait_for(pid_t pid);

/* Waits for a child that ends with child_exit(); its failures become ours. */
void reap_checked(pid_t pid);

/* A child that sleeps until a signal ends it. */
pid_t sleeping_child(void);

/* Runs the block that follows in a child: IN_CHILD { ... } and adds the child's failed checks. */
#define IN_CHILD                                                                                   \
	for (pid_t child_ = fork_checked(), once_ = 1; once_;                                      \
	     once_ = 0, child_ ? reap_checked(child_) : child_exit())                              \
		if (!child_)

#endif
