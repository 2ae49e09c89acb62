/* SPDX-License-Identifier: MIT
 *
 * Scripts: the first line "#!interpreter [argument]". The interpreter is this program, which then
 * prints its arguments, one in brackets each.
 */
#include "elf_image.h"

static char output[4096];

/* Runs path with the given arguments, its output goes to `output`. */
static struct outcome run(const char *path, char *a1, char *a2)
{
	char *argv[] = { "zero", a1, a2, NULL }, *envp[] = { "SHOW=1", NULL };
	int p[2], keep = dup(1), n, len = 0;

	MUST(keep >= 0 && !pipe(p) && dup2(p[1], 1) == 1);
	close(p[1]);
	struct outcome o = run_program(path, argv, envp);

	MUST(dup2(keep, 1) == 1);
	close(keep);
	while ((n = read(p[0], output + len, sizeof(output) - 1 - len)) > 0)
		len += n;
	output[len] = 0;
	close(p[0]);
	return o;
}

/* A script with this text; "%" stands for the interpreter's path. */
static char *script(const char *name, const char *text)
{
	char buf[2048], *path = scratch(name);
	size_t n = 0;

	for (; *text; text++) {
		if (*text == '%')
			n += snprintf(buf + n, sizeof(buf) - n, "%s/i", scratch_dir());
		else
			buf[n++] = *text;
	}
	write_file(path, buf, n, 0755);
	return path;
}

static char want[1024];

TEST(plain, "no argument: [interpreter][script][arguments]")
{
	char *path = script("s", "#!%\nrest\n");

	snprintf(want, sizeof(want), "[%s/i][%s][a][b]", scratch_dir(), path);
	CHECK_OUTCOME(run(path, "a", "b"), 0, 0, 0);
	CHECK_STR(output, want);
}

TEST(argument, "one argument, blanks around it cut, blanks inside kept")
{
	char *path = script("s", "#! \t%  one two\t \n");

	snprintf(want, sizeof(want), "[%s/i][one two][%s][a]", scratch_dir(), path);
	CHECK_OUTCOME(run(path, "a", NULL), 0, 0, 0);
	CHECK_STR(output, want);
}

TEST(no_newline, "a file that ends without newline")
{
	char *path = script("s", "#!%");

	snprintf(want, sizeof(want), "[%s/i][%s]", scratch_dir(), path);
	CHECK_OUTCOME(run(path, NULL, NULL), 0, 0, 0);
	CHECK_STR(output, want);
}

TEST(nested, "an interpreter that is a script")
{
	char first[256], *a = script("a", "#!%\n"), *b;

	snprintf(first, sizeof(first), "#!%s x\n", a);
	b = scratch("b");
	write_file(b, first, strlen(first), 0755);
	snprintf(want, sizeof(want), "[%s/i][%s][x][%s][1]", scratch_dir(), a, b);
	CHECK_OUTCOME(run(b, "1", NULL), 0, 0, 0);
	CHECK_STR(output, want);
}

TEST(loop, "a script that is its own interpreter: ELOOP")
{
	char text[256], *path = scratch("loop");

	snprintf(text, sizeof(text), "#!%s\n", path);
	write_file(path, text, strlen(text), 0755);
	CHECK_OUTCOME(run(path, NULL, NULL), ELOOP, 0, 0);
}

TEST(errors,
     "no interpreter named: ENOEXEC; missing: ENOENT; not executable or a directory: EACCES")
{
	CHECK_OUTCOME(run(script("s", "#!\n"), NULL, NULL), ENOEXEC, 0, 0);
	CHECK_OUTCOME(run(script("s", "#!  \t\n%"), NULL, NULL), ENOEXEC, 0, 0);
	CHECK_OUTCOME(run(script("s", "#!/no/such/file\n"), NULL, NULL), ENOENT, 0, 0);
	CHECK_OUTCOME(run(script("s", "#!/\n"), NULL, NULL), EACCES, 0, 0);
	CHECK_OUTCOME(run(script("s", "plain text\n"), NULL, NULL), ENOEXEC, 0, 0);
	CHECK_OUTCOME(run(script("s", ""), NULL, NULL), ENOEXEC, 0, 0);
	CHECK_OUTCOME(run(script("s", "#"), NULL, NULL), ENOEXEC, 0, 0);
}

TEST(long_line, "an interpreter path cut off at 256 bytes is ENOEXEC; a long argument is cut")
{
	static char text[1024];
	char *path = scratch("long");

	memset(text, 'x', 600);
	memcpy(text, "#!/", 3);
	text[600] = '\n';
	write_file(path, text, 601, 0755);
	CHECK_OUTCOME(run(path, NULL, NULL), ENOEXEC, 0, 0);
	int n = snprintf(text, sizeof(text), "#!%s/i ", scratch_dir());

	memset(text + n, 'y', 600);
	text[n + 600] = '\n';
	write_file(path, text, n + 601, 0755);
	CHECK_OUTCOME(run(path, NULL, NULL), 0, 0, 0);
	n = snprintf(want, sizeof(want), "[%s/i][", scratch_dir());
	CHECK(!strncmp(output, want, n));
	CHECK(strspn(output + n, "y") < 256);
}

int main(int argc, char **argv)
{
	if (getenv("SHOW")) {
		for (int i = 0; i < argc; i++)
			say("[%s]", argv[i]);
		return 0;
	}
	char self[256];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	MUST(n > 0);
	self[n] = 0;
	MUST(!symlink(self, scratch("i")));
	return run_tests();
}
