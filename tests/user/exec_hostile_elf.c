/* SPDX-License-Identifier: MIT
 *
 * Broken and hostile ELF files: execve says an errno, or the program dies by a signal, or it happens to
 * run. The machine goes on. Where the outcome is the same in all Linux versions it is checked exactly.
 */
#include "elf_image.h"

static struct image im;

/* An outcome is one of these, or any (ANY), or an errno (positive), or a status 42 (RUNS). */
#define RUNS 0
#define ANY -1
#define KILLED -2   /* by SIGSEGV */
#define BAD_FILE -3 /* an errno, whichever */
#define NOT_RUN -4  /* an errno, or killed: Linux finds it after the old program is gone */

static void check(const char *name, int want)
{
	struct outcome o = run_image(&im);
	bool good;

	switch (want) {
	case RUNS:
		good = !o.err && !o.sig && o.status == 42;
		break;
	case ANY:
		good = true;
		break;
	case KILLED:
		good = !o.err && o.sig == SIGSEGV;
		break;
	case BAD_FILE:
		good = o.err;
		break;
	case NOT_RUN:
		good = o.err || o.sig;
		break;
	default:
		good = o.err == want;
	}
	if (o.sig == SIGALRM)
		good = false;
	if (!good)
		FAIL("%s: errno %d signal %d status %d, want %d", name, o.err, o.sig, o.status,
		     want);
}

#define CASE(want, ...)                                                                            \
	do {                                                                                       \
		image_make(&im, ET_EXEC, 42);                                                      \
		__VA_ARGS__;                                                                       \
		check(#__VA_ARGS__, want);                                                         \
	} while (0)

TEST(header, "the ELF header")
{
	CASE(RUNS, (void)0);
	CASE(ENOEXEC, im.eh.e_ident[0] = 0);
	CASE(ENOEXEC, im.eh.e_type = ET_REL);
	CASE(ENOEXEC, im.eh.e_type = ET_CORE);
	CASE(ENOEXEC, im.eh.e_type = 0xffff);
	CASE(ENOEXEC, im.eh.e_machine = EM_AARCH64);
	CASE(ENOEXEC, im.eh.e_phentsize = 0);
	CASE(ENOEXEC, im.eh.e_phentsize = sizeof(Elf64_Phdr) + 8);
	CASE(ENOEXEC, im.eh.e_phnum = 0);
	CASE(ENOEXEC, im.eh.e_phnum = 0xffff);
	CASE(BAD_FILE, im.eh.e_phnum = 1000);
	CASE(BAD_FILE, im.eh.e_phoff = 1UL << 40);
	CASE(BAD_FILE, im.eh.e_phoff = -8UL);
	CASE(BAD_FILE, im.eh.e_phoff = im.size - 8);
	/* Linux looks neither at the class of a 64-bit machine's file nor at the versions. */
	CASE(ANY, im.eh.e_ident[EI_CLASS] = ELFCLASS32);
	CASE(RUNS, im.eh.e_version = 77);
	CASE(RUNS, im.eh.e_shoff = -1UL);
}

TEST(truncated, "truncated files")
{
	static const size_t sizes[] = { 0, 1, 3, 4, 16, 63 };

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		CASE(ENOEXEC, im.size = sizes[i]);
	CASE(BAD_FILE, im.size = 64);
	CASE(BAD_FILE, im.size = 100);
	/* Headers complete, code missing: the rest of the page reads as zero. */
	CASE(KILLED, im.size = CODE_AT);
}

TEST(entry, "entry points that lead nowhere")
{
	CASE(KILLED, im.eh.e_entry = 0);
	CASE(KILLED, im.eh.e_entry = 0x10);
	CASE(KILLED, im.eh.e_entry = USER_LIMIT - 1);
	CASE(NOT_RUN, im.eh.e_entry = USER_LIMIT + PAGE);
	CASE(NOT_RUN, im.eh.e_entry = KERNEL_ADDRESS);
	CASE(NOT_RUN, im.eh.e_entry = NON_CANONICAL);
	CASE(NOT_RUN, im.eh.e_entry = -1UL);
}

TEST(segment_sizes, "sizes of segments")
{
	CASE(NOT_RUN, im.ph[1].p_memsz = 1UL << 62);
	CASE(NOT_RUN, im.ph[1].p_memsz = -1UL);
	CASE(NOT_RUN, im.ph[1].p_filesz = 1UL << 62);
	CASE(NOT_RUN, im.ph[1].p_filesz = -1UL);
	CASE(NOT_RUN, im.ph[1].p_filesz = 4 * PAGE); /* more than p_memsz */
	CASE(NOT_RUN, im.ph[0].p_filesz = 0, im.ph[0].p_memsz = 0);
	CASE(RUNS, im.ph[1].p_filesz = 0);
	CASE(RUNS, im.ph[1].p_filesz = 0, im.ph[1].p_memsz = 0);
	/* Beyond the end of the file: mapped, SIGBUS when touched; the kernel may touch it itself. */
	CASE(ANY, im.ph[1].p_filesz = 3 * PAGE);
}

TEST(segment_places, "addresses of segments")
{
	CASE(NOT_RUN, im.ph[1].p_vaddr = KERNEL_ADDRESS);
	CASE(NOT_RUN, im.ph[1].p_vaddr = USER_LIMIT);
	CASE(NOT_RUN, im.ph[1].p_vaddr = USER_LIMIT - PAGE);
	CASE(NOT_RUN, im.ph[1].p_vaddr = -PAGE);
	CASE(NOT_RUN, im.ph[1].p_vaddr = NON_CANONICAL);
	CASE(NOT_RUN, im.ph[0].p_vaddr = KERNEL_ADDRESS);
	/* Page zero: root may map it on Linux unless vm.mmap_min_addr counts for it as well. */
	CASE(ANY, im.ph[1].p_vaddr = 0);
	/* Offset and address do not agree modulo the page. */
	CASE(ANY, im.ph[1].p_vaddr += 0x123);
	CASE(NOT_RUN, im.ph[1].p_offset += 0x123);
	CASE(NOT_RUN, im.ph[1].p_offset = -PAGE);
	CASE(ANY, im.ph[1].p_offset = 1UL << 50);
}

TEST(overlap, "overlapping and disordered segments")
{
	/* The second over the first, code included: the data page (zeroes) is not executable. */
	CASE(KILLED, im.ph[1].p_vaddr = IMAGE_BASE);
	CASE(RUNS, im.ph[1].p_vaddr = IMAGE_BASE + PAGE);
	CASE(ANY, {
		Elf64_Phdr t = im.ph[0];
		im.ph[0] = im.ph[1];
		im.ph[1] = t;
	});
	CASE(RUNS, im.ph[2] = im.ph[1]);
	CASE(NOT_RUN, im.ph[0].p_type = PT_NULL);
	CASE(NOT_RUN, im.ph[0].p_type = PT_NULL, im.ph[1].p_type = PT_NULL);
}

TEST(other_headers, "PT_INTERP, PT_GNU_STACK, PT_GNU_PROPERTY with nonsense")
{
	CASE(BAD_FILE, im.ph[2] = ((Elf64_Phdr){ .p_type = PT_INTERP, .p_filesz = 0 }));
	CASE(BAD_FILE,
	     im.ph[2] = ((Elf64_Phdr){ .p_type = PT_INTERP, .p_filesz = 1, .p_offset = 1 }));
	CASE(BAD_FILE, im.ph[2] = ((Elf64_Phdr){ .p_type = PT_INTERP, .p_filesz = 1UL << 40 }));
	CASE(BAD_FILE,
	     im.ph[2] =
		     ((Elf64_Phdr){ .p_type = PT_INTERP, .p_filesz = 20, .p_offset = 1UL << 50 }));
	/* No NUL at the end. */
	CASE(BAD_FILE,
	     im.ph[2] = ((Elf64_Phdr){ .p_type = PT_INTERP, .p_filesz = 4, .p_offset = 0 }));
	CASE(RUNS, im.ph[2].p_flags = -1U);
	CASE(RUNS, im.ph[2].p_memsz = -1UL);
	CASE(RUNS, im.ph[2].p_type = PT_TLS);
	CASE(RUNS, im.ph[2].p_type = PT_DYNAMIC);
	CASE(ANY, im.ph[2].p_type = 0x6474e553);
}

TEST(self_interpreter, "a program that names itself as interpreter")
{
	char *path = scratch("image"); /* where run_image() puts it */

	image_make(&im, ET_DYN, 42);
	strcpy((char *)im.bytes + 0x300, path);
	im.ph[2] = (Elf64_Phdr){ .p_type = PT_INTERP,
				 .p_offset = 0x300,
				 .p_filesz = strlen(path) + 1 };
	check("self", RUNS);
}

/* Linux takes up to 64 KiB of headers, 6.1 up to 4 KiB. */
TEST(many_segments, "70 program headers; 1200 (more than 64 KiB) do not run")
{
	static char big[128 * 1024];
	char *path = scratch("big");
	Elf64_Ehdr *eh = (Elf64_Ehdr *)big;
	Elf64_Phdr *ph = (Elf64_Phdr *)(big + sizeof(*eh));

	for (int n = 70; n <= 1200; n += 1130) {
		memset(big, 0, sizeof(big));
		image_make(&im, ET_EXEC, 42);
		*eh = im.eh;
		eh->e_phnum = n;
		eh->e_entry = IMAGE_BASE + 70000;
		ph[0] = im.ph[0];
		ph[0].p_filesz = ph[0].p_memsz = sizeof(big);
		for (int i = 1; i < n; i++)
			ph[i] = (Elf64_Phdr){ .p_type = PT_LOAD,
					      .p_flags = PF_R,
					      .p_offset = 0,
					      .p_vaddr = IMAGE_BASE + 0x100000 + i * 2 * PAGE,
					      .p_filesz = PAGE,
					      .p_memsz = PAGE };
		memcpy(big + 70000, im.bytes + CODE_AT, 32);
		write_file(path, big, sizeof(big), 0755);
		struct outcome o = run_file(path);

		if (n == 70)
			CHECK_OUTCOME(o, 0, 0, 42);
		else
			CHECK(o.err || o.sig);
		unlink(path);
	}
}

static unsigned int random_state = 12345;

static unsigned int random_next(void)
{
	random_state = random_state * 1103515245 + 12345;
	return random_state >> 8;
}

TEST(random, "200 files with random damage to the headers (seed 12345)")
{
	static const unsigned long odd[] = { 0,		1,	    0xff,      PAGE - 1,
					     PAGE,	0x7fffffff, 1UL << 31, 1UL << 32,
					     1UL << 46, USER_LIMIT, 1UL << 47, 1UL << 63,
					     -1UL,	-PAGE };

	for (int i = 0; i < 200; i++) {
		image_make(&im, i & 1 ? ET_DYN : ET_EXEC, 42);
		for (int hits = 1 + random_next() % 3; hits; hits--) {
			unsigned int at =
				random_next() % (sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr));
			unsigned long v = odd[random_next() % (sizeof(odd) / sizeof(*odd))];

			if (random_next() & 1)
				im.bytes[at] = (unsigned char)random_next();
			else
				memcpy(im.bytes + (at & ~7U), &v, 8);
		}
		struct outcome o = run_image(&im);

		if (o.sig == SIGALRM)
			FAIL("file %d hangs", i);
	}
}

TEST_MAIN()
