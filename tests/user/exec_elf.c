/* SPDX-License-Identifier: MIT
 *
 * What execve loads: static, position-independent and interpreted programs, and how it maps them.
 */
#include "elf_image.h"

static struct image im, interp;

TEST(static_, "a static program runs")
{
	image_make(&im, ET_EXEC, 42);
	CHECK_OUTCOME(run_image(&im), 0, 0, 42);
}

TEST(pie, "a static position-independent program runs")
{
	image_make(&im, ET_DYN, 43);
	CHECK_OUTCOME(run_image(&im), 0, 0, 43);
}

TEST(interpreter, "PT_INTERP: the interpreter gets control, not the program")
{
	char *path = scratch("interp");

	for (int type = ET_EXEC; type <= ET_DYN; type++) {
		image_make(&interp, ET_DYN, 44);
		write_file(path, interp.bytes, interp.size, 0755);
		image_make(&im, type, 42);
		strcpy((char *)im.bytes + 0x300, path);
		im.ph[3] = im.ph[2];
		im.ph[2] = (Elf64_Phdr){ .p_type = PT_INTERP,
					 .p_offset = 0x300,
					 .p_filesz = strlen(path) + 1,
					 .p_memsz = strlen(path) + 1 };
		im.eh.e_phnum = 4;
		CHECK_OUTCOME(run_image(&im), 0, 0, 44);
		unlink(path);
		CHECK_OUTCOME(run_image(&im), ENOENT, 0, 0);
		write_file(path,
			   "not an ELF file, and longer than an ELF header has to be to be read",
			   66, 0755);
		CHECK_OUTCOME(run_image(&im), ELIBBAD, 0, 0);
		write_file(path, interp.bytes, interp.size, 0644);
		CHECK_OUTCOME(run_image(&im), EACCES, 0, 0);
		unlink(path);
	}
}

/* Puts code at CODE_AT that exits with 0 when the byte at the address is zero, 1 otherwise. */
static void code_test_byte(unsigned long addr)
{
	unsigned char code[] = { 0x48, 0xb8, 0,	   0, 0, 0,    0,   0, 0, 0, /* mov $addr, %rax */
				 0x0f, 0xb6, 0x38, /* movzbl (%rax), %edi */
				 0xb8, 231,  0,	   0, 0, 0x0f, 0x05 };

	memcpy(code + 2, &addr, 8);
	memcpy(im.bytes + CODE_AT, code, sizeof(code));
}

TEST(bss,
     "memory beyond a segment's file part is zero: in its last file page and in pages of its own")
{
	unsigned long data = IMAGE_BASE + 0x10000;
	struct {
		unsigned long at;
		int want;
	} cases[] = { { 0, 7 },	       { 99, 7 },   { 100, 0 },
		      { PAGE - 1, 0 }, { PAGE, 0 }, { 3 * PAGE - 1, 0 } };

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		image_make(&im, ET_EXEC, 0);
		memset(im.bytes + PAGE, 7, PAGE); /* the file goes on behind the segment */
		code_test_byte(data + cases[i].at);
		CHECK_OUTCOME(run_image(&im), 0, 0, cases[i].want);
	}
	image_make(&im, ET_EXEC, 0);
	code_test_byte(data + 0x100000);
	CHECK_OUTCOME(run_image(&im), 0, SIGSEGV, 0);
}

TEST(protection, "segments have the protection they ask for")
{
	/* movb $1, (CODE) : write to its own text */
	unsigned char poke[] = { 0xc6, 0x04, 0x25, 0, 2, 0x40, 0, 1 };

	image_make(&im, ET_EXEC, 0);
	memcpy(im.bytes + CODE_AT, poke, sizeof(poke));
	CHECK_OUTCOME(run_image(&im), 0, SIGSEGV, 0);
	im.ph[0].p_flags |= PF_W;
	/* Now the poke works and the next instruction is what follows: put an exit there. */
	unsigned char leave[] = { 0xbf, 9, 0, 0, 0, 0xb8, 231, 0, 0, 0, 0x0f, 0x05 };

	memcpy(im.bytes + CODE_AT + sizeof(poke), leave, sizeof(leave));
	CHECK_OUTCOME(run_image(&im), 0, 0, 9);
	/* An entry point in the data segment is not executable. */
	image_make(&im, ET_EXEC, 0);
	im.eh.e_entry = IMAGE_BASE + 0x10000;
	CHECK_OUTCOME(run_image(&im), 0, SIGSEGV, 0);
}

TEST(unaligned_segment, "a segment that starts inside a page, as linkers make them")
{
	image_make(&im, ET_EXEC, 0);
	im.ph[1].p_offset = PAGE + 0x234;
	im.ph[1].p_vaddr = IMAGE_BASE + 0x10000 + 0x234;
	im.bytes[PAGE + 0x234] = 5;
	code_test_byte(IMAGE_BASE + 0x10000 + 0x234);
	CHECK_OUTCOME(run_image(&im), 0, 0, 5);
}

TEST_MAIN()
