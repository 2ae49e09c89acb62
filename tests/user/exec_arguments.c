/* SPDX-License-Identifier: MIT
 *
 * Arguments, environment, auxiliary vector and start state of a new program; E2BIG.
 */
#include "elf_image.h"
#include <sys/auxv.h>

static char self[256];

/* The child side: what each mode expects. Its failed checks are its exit status. */
static void in_new_program(int argc, char **argv, char **envp, const char *mode)
{
	if (!strcmp(mode, "args")) {
		CHECK_EQ(argc, 4);
		CHECK_STR(argv[1], "");
		CHECK_STR(argv[2], "two words");
		CHECK_EQ(strlen(argv[3]), 100000);
		CHECK(argv[4] == NULL);
		CHECK_STR(envp[1], "A=");
		CHECK_STR(envp[2], "no equals sign");
		CHECK(envp[3] == NULL);
	} else if (!strcmp(mode, "auxv")) {
		unsigned char *random = (unsigned char *)getauxval(AT_RANDOM);
		int same = 1;

		CHECK_EQ(getauxval(AT_PAGESZ), PAGE);
		CHECK_EQ(getauxval(AT_UID), getuid());
		CHECK_EQ(getauxval(AT_EGID), getegid());
		CHECK_EQ(getauxval(AT_SECURE), 0);
		CHECK_EQ(getauxval(AT_PHENT), sizeof(Elf64_Phdr));
		CHECK(getauxval(AT_PHNUM) > 0);
		CHECK(getauxval(AT_CLKTCK) == 100);
		CHECK_STR((char *)getauxval(AT_EXECFN), self);
		CHECK_STR((char *)getauxval(AT_PLATFORM), "x86_64");
		Elf64_Phdr *ph = (Elf64_Phdr *)getauxval(AT_PHDR);
		struct map m;

		CHECK(ph != NULL);
		CHECK(map_find((void *)getauxval(AT_ENTRY), &m));
		CHECK_STR(m.perms, "r-xp");
		CHECK(random != NULL);
		for (int i = 1; i < 16; i++)
			same &= random[i] == random[0];
		CHECK(!same);
	} else if (!strcmp(mode, "cmdline")) {
		char *text = slurp("/proc/self/cmdline");

		MUST(text);
		CHECK_EQ(memcmp(text, "zero\0one\0two\0", 13), 0);
		text = slurp("/proc/self/environ");
		MUST(text);
		CHECK_STR(text, "MODE=cmdline");
		text = slurp("/proc/self/comm");
		MUST(text);
		/* The last component of the path, at most 15 bytes. */
		char comm[17];

		snprintf(comm, sizeof(comm), "%.15s\n", strrchr(self, '/') + 1);
		CHECK_STR(text, comm);
		char exe[256];
		ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

		MUST(n > 0);
		exe[n] = 0;
		CHECK_STR(exe, self);
	} else if (!strcmp(mode, "empty")) {
		/* Since 5.18 a program without arguments gets one, the empty string. */
		CHECK_EQ(argc, 1);
		CHECK_STR(argv[0], "");
	} else if (!strcmp(mode, "stack")) {
		struct map m;

		MUST(map_find(argv, &m));
		CHECK_STR(m.name, "[stack]");
		CHECK((unsigned long)argv[0] < m.end && (unsigned long)argv[0] > m.start);
		/* The entry stack pointer is at argc, just below argv, and 16-byte aligned. */
		CHECK_EQ(((unsigned long)argv - 8) % 16, 0);
		CHECK_EQ(*(long *)((char *)argv - 8), argc);
	}
	child_exit();
}

static void exec_mode(const char *mode, char *const argv[])
{
	char env[64], *envp[] = { env, "A=", "no equals sign", NULL };

	snprintf(env, sizeof(env), "MODE=%s", mode);
	if (strcmp(mode, "args"))
		envp[1] = NULL;
	struct outcome o = run_program(self, argv, envp);

	CHECK_OUTCOME(o, 0, 0, 0);
}

TEST(args, "arguments and environment arrive as they are, one of 100000 bytes among them")
{
	static char big[100001];

	memset(big, 'b', 100000);
	char *argv[] = { "zero", "", "two words", big, NULL };

	exec_mode("args", argv);
}

TEST(auxv, "the auxiliary vector")
{
	char *argv[] = { "zero", NULL };

	exec_mode("auxv", argv);
}

TEST(cmdline, "/proc/self/cmdline, environ, comm and exe")
{
	char *argv[] = { "zero", "one", "two", NULL };

	exec_mode("cmdline", argv);
}

TEST(empty, "no arguments at all")
{
	char *argv[] = { NULL };

	exec_mode("empty", argv);
}

TEST(stack, "the start of the stack")
{
	char *argv[] = { "zero", "one", NULL };

	exec_mode("stack", argv);
	char *argv2[] = { "zero", NULL };

	exec_mode("stack", argv2);
}

TEST(e2big_one, "one string of 128 KiB or more is E2BIG, one byte less is not")
{
	static char big[131073];
	char *argv[] = { "zero", big, NULL };
	char *envp[] = { "MODE=none", NULL };

	memset(big, 'x', 131072);
	CHECK_OUTCOME(run_program(self, argv, envp), E2BIG, 0, 0);
	big[131071] = 0;
	CHECK_OUTCOME(run_program(self, argv, envp), 0, 0, 0);
}

FORKED_TEST(e2big_all, "all strings together: more than a quarter of RLIMIT_STACK is E2BIG")
{
	static char big[65537], *argv[100];
	char *envp[] = { "MODE=none", NULL };
	struct rlimit rl = { 1 * MIB, RLIM_INFINITY };

	MUST(!setrlimit(RLIMIT_STACK, &rl));
	memset(big, 'x', 65536);
	for (int i = 0; i < 8; i++)
		argv[i] = big;
	CHECK_OUTCOME(run_program(self, argv, envp), E2BIG, 0, 0);
	argv[2] = NULL;
	CHECK_OUTCOME(run_program(self, argv, envp), 0, 0, 0);
}

int main(int argc, char **argv, char **envp)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	MUST(n > 0);
	if (getenv("MODE"))
		in_new_program(argc, argv, envp, getenv("MODE"));
	return run_tests();
}
