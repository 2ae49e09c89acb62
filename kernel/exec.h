/* SPDX-License-Identifier: MIT
 *
 * The parts of execve: arguments (exec_args.c), scripts (exec_script.c), the new address space
 * (exec_load.c), identity (cred.c), and the change itself (exec.c).
 */
#ifndef KERNEL_EXEC_H
#define KERNEL_EXEC_H

#include <kernel/elf.h>
#include <kernel/task.h>

struct file;

/* ---- exec_args.c: argv and envp on their way from one address space to the next ---- */

/* Bytes in pages of kernel memory, written from the front. */
struct arg_buffer {
	char **pages;
	unsigned int nr_pages, capacity;
	size_t used;
	char *first[4]; /* pages points here until it gets too small */
};

/* A script adds its interpreter, an argument and its own name; five may follow one another. */
#define MAX_SCRIPT_DEPTH 5
#define MAX_PREFIX (MAX_SCRIPT_DEPTH * 2 + 1)

struct exec_args {
	struct arg_buffer strings; /* argv's, then envp's, each with its 0 */
	struct arg_buffer offsets; /* u64 each: where they start in strings */
	unsigned int argc, envc;   /* of strings */
	bool skip_argv0;	   /* a script's interpreter took its place */
	char *prefix[MAX_PREFIX];  /* in front of the rest of argv; kmalloc'ed */
	unsigned int nr_prefix;
	size_t limit; /* bytes that strings and pointers may take */
};

void exec_args_init(struct exec_args *a);
void exec_args_free(struct exec_args *a);
/* argv, then envp, from user or kernel memory. 0, -E2BIG, -EFAULT, -ENOMEM, -EINTR. */
int exec_args_from_user(struct exec_args *a, const u64 __user *argv, const u64 __user *envp);
int exec_args_from_kernel(struct exec_args *a, const char *const *argv, const char *const *envp);
/*
 * Puts interpreter, its argument (may be NULL) and the script's path where argv[0] was. 0, -ENOMEM,
 * -ELOOP.
 */
int exec_args_prepend(struct exec_args *a, const char *interp, const char *arg, const char *script);
/* What the program's argc will be. */
unsigned int exec_args_argc(const struct exec_args *a);

/* ---- exec_script.c ---- */

/* What a #! line says; both point into the buffer it was read from. arg may be NULL. */
struct script_line {
	char *interp;
	char *arg;
};

/*
 * Parses the first size bytes of a file (0 behind its end) and puts 0s behind the words. 0, or
 * -ENOEXEC: no script, or no usable interpreter name. Pure: fuzzed on the host.
 */
int script_parse(char *buf, size_t size, struct script_line *line);
#define SCRIPT_LINE_MAX 256

/* ---- exec_load.c ---- */

#define EXEC_HEAD_BYTES 1024

/* A file of which a program is to be made. */
struct exec_image {
	struct file *file;
	struct elf_image elf;
	struct elf64_phdr *phdrs; /* kmalloc'ed, or in head */
	unsigned long bias;	  /* added to the file's addresses */
	char head[EXEC_HEAD_BYTES] __aligned(8);
	size_t head_len;
};

/*
 * Reads and checks the headers of image->file (head is filled already). 0, -ENOEXEC, -EINVAL (see
 * elf.h), -ENOMEM, -EIO.
 */
int exec_read_headers(struct exec_image *image);
void exec_image_free(struct exec_image *image);

struct exec_program {
	const char *filename; /* as in AT_EXECFN */
	struct exec_image *main;
	struct exec_image *interp; /* the dynamic loader, or NULL */
	const struct exec_args *args;
	const struct cred *cred; /* after the exec */
	bool secure;		 /* AT_SECURE */
	bool aslr;
	/* The result. */
	struct mm *mm;
	unsigned long entry, sp;
};

/* Maps the program into p->mm and writes its stack. 0 or -errno; p->mm stays the caller's. */
int exec_load(struct exec_program *p);

#endif
