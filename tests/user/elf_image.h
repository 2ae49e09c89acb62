/* SPDX-License-Identifier: MIT
 *
 * The smallest ELF programs, made in memory: they end with a status and nothing else. Tests change
 * headers before they write the image to a file and run it.
 *
 * Layout: ELF header, 4 program headers, code at CODE_AT. One PT_LOAD maps the whole file readable and
 * executable, the second is a writable page with memory beyond its file part.
 */
#ifndef TESTS_USER_ELF_IMAGE_H
#define TESTS_USER_ELF_IMAGE_H

#include "test.h"
#include <elf.h>

#define IMAGE_BASE 0x400000UL
#define CODE_AT 0x200
#define IMAGE_SIZE 0x1000

struct image {
	union {
		unsigned char bytes[3 * PAGE];
		struct {
			Elf64_Ehdr eh;
			Elf64_Phdr ph[4];
		};
	};
	size_t size;
};

/* exit_group(status) */
static inline void image_code_exit(struct image *im, int status)
{
	unsigned char code[] = { 0xbf, 0, 0, 0, 0, 0xb8, 231, 0, 0, 0, 0x0f, 0x05, 0x0f, 0x0b };

	code[1] = (unsigned char)status;
	memcpy(im->bytes + CODE_AT, code, sizeof(code));
}

/* type ET_EXEC or ET_DYN */
static inline void image_make(struct image *im, int type, int status)
{
	unsigned long base = type == ET_EXEC ? IMAGE_BASE : 0;

	memset(im, 0, sizeof(*im));
	im->size = 2 * PAGE;
	memcpy(im->eh.e_ident, ELFMAG, SELFMAG);
	im->eh.e_ident[EI_CLASS] = ELFCLASS64;
	im->eh.e_ident[EI_DATA] = ELFDATA2LSB;
	im->eh.e_ident[EI_VERSION] = EV_CURRENT;
	im->eh.e_type = type;
	im->eh.e_machine = EM_X86_64;
	im->eh.e_version = EV_CURRENT;
	im->eh.e_entry = base + CODE_AT;
	im->eh.e_phoff = sizeof(Elf64_Ehdr);
	im->eh.e_ehsize = sizeof(Elf64_Ehdr);
	im->eh.e_phentsize = sizeof(Elf64_Phdr);
	im->eh.e_phnum = 3;
	im->ph[0] = (Elf64_Phdr){ .p_type = PT_LOAD,
				  .p_flags = PF_R | PF_X,
				  .p_offset = 0,
				  .p_vaddr = base,
				  .p_paddr = base,
				  .p_filesz = IMAGE_SIZE,
				  .p_memsz = IMAGE_SIZE,
				  .p_align = PAGE };
	im->ph[1] = (Elf64_Phdr){ .p_type = PT_LOAD,
				  .p_flags = PF_R | PF_W,
				  .p_offset = PAGE,
				  .p_vaddr = base + 0x10000,
				  .p_paddr = base + 0x10000,
				  .p_filesz = 100,
				  .p_memsz = 3 * PAGE,
				  .p_align = PAGE };
	im->ph[2] = (Elf64_Phdr){ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W };
	image_code_exit(im, status);
}

/* What became of running a program. */
struct outcome {
	int err;    /* errno of execve */
	int sig;    /* killed by */
	int status; /* exit status */
};

/* Runs the file in a child; a child that runs longer than 5 seconds is ended by SIGALRM. */
static inline struct outcome run_program(const char *path, char *const argv[], char *const envp[])
{
	struct outcome o = { 0, 0, 0 };
	int report[2], err = 0;

	MUST(!pipe2(report, O_CLOEXEC));
	pid_t pid = fork_checked();

	if (!pid) {
		alarm(5);
		execve(path, argv, envp);
		err = errno;
		if (write(report[1], &err, sizeof(err)) < 0)
			_exit(1);
		_exit(0);
	}
	close(report[1]);
	if (read(report[0], &err, sizeof(err)) == sizeof(err))
		o.err = err;
	close(report[0]);
	int status = wait_for(pid);

	if (WIFSIGNALED(status))
		o.sig = WTERMSIG(status);
	else
		o.status = WEXITSTATUS(status);
	return o;
}

static inline struct outcome run_file(const char *path)
{
	char *argv[] = { "program", NULL }, *envp[] = { NULL };

	return run_program(path, argv, envp);
}

/* Writes the image to a new file, runs and removes it. */
static inline struct outcome run_image(const struct image *im)
{
	char *path = scratch("image");
	struct outcome o;

	unlink(path);
	write_file(path, im->bytes, im->size, 0755);
	o = run_file(path);
	unlink(path);
	return o;
}

#define CHECK_OUTCOME(o, want_err, want_sig, want_status)                                          \
	do {                                                                                       \
		struct outcome o_ = (o);                                                           \
		if (o_.err != (want_err) || o_.sig != (want_sig) || o_.status != (want_status))    \
			FAIL("%s: errno %d signal %d status %d, want %d %d %d", #o, o_.err,        \
			     o_.sig, o_.status, (want_err), (want_sig), (want_status));            \
	} while (0)

#endif
