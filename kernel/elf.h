/* SPDX-License-Identifier: MIT
 *
 * What the kernel needs to know of an ELF program, taken from untrusted bytes. Pure functions: no
 * memory, no files, no globals. The host fuzzes them.
 */
#ifndef KERNEL_ELF_H
#define KERNEL_ELF_H

#include <uapi/elf.h>

struct elf_image {
	/* elf_check_header() */
	bool relocatable; /* ET_DYN: the addresses below are relative to a base */
	u64 entry;
	u64 phoff; /* program headers: bytes from the start of the file */
	unsigned int phnum;
	/* elf_check_segments() */
	u64 start, end; /* of all PT_LOADs, page-aligned, end exclusive */
	u64 align;	/* the largest of them, at least a page */
	u64 phdr_addr;	/* where the program headers come to lie, 0: nowhere */
	u64 code_start, code_end, data_start, data_end; /* for /proc/PID/stat */
	bool exec_stack;
	u64 interp_offset; /* PT_INTERP in the file */
	u64 interp_size;   /* with its 0; 0: none */
};

/*
 * The first len bytes of a file of file_size bytes. 0 with the first part of *image filled, or
 * -ENOEXEC: no x86_64 ELF program. On 0, image->phnum headers at image->phoff lie inside the file.
 */
int elf_check_header(const void *buf, size_t len, u64 file_size, struct elf_image *image);
/*
 * The image->phnum program headers. 0 with the rest of *image filled; -ENOEXEC: not a program, its
 * caller goes on; -EINVAL: a segment that cannot be mapped, which Linux finds out too late for the
 * caller.
 */
int elf_check_segments(const struct elf64_phdr *ph, u64 file_size, struct elf_image *image);

#endif
