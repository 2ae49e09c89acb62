/* SPDX-License-Identifier: MIT
 *
 * The program's own segments: text cannot be written, data and stack cannot be executed, rodata neither.
 */
#include "test.h"

static const char rodata[64] = "read only data";
static char data[64] = { RET_INSTRUCTION };
static char bss[64];

TEST(text, "writing to text is ACCERR")
{
	CHECK_FAULT(store((void *)run_tests, 1), SIGSEGV, SEGV_ACCERR, run_tests);
	CHECK_EQ(fault_seen.err, 7);
}

TEST(rodata_, "writing to constants is ACCERR")
{
	CHECK_FAULT(store((void *)rodata, 1), SIGSEGV, SEGV_ACCERR, rodata);
	CHECK_EQ(load(rodata), 'r');
}

TEST(nx, "executing data, bss, heap, stack is ACCERR")
{
	char local[16] = { RET_INSTRUCTION };
	char *heap = malloc(64);

	MUST(heap);
	bss[0] = heap[0] = RET_INSTRUCTION;
	CHECK_FAULT(jump_to(data), SIGSEGV, SEGV_ACCERR, data);
	CHECK_EQ(fault_seen.err, 0x15);
	CHECK_FAULT(jump_to(bss), SIGSEGV, SEGV_ACCERR, bss);
	CHECK_FAULT(jump_to(heap), SIGSEGV, SEGV_ACCERR, heap);
	CHECK_FAULT(jump_to(local), SIGSEGV, SEGV_ACCERR, local);
	free(heap);
}

TEST(rewrite_text, "mprotect makes text writable: a private copy that runs")
{
	char *page = (char *)((unsigned long)rodata & -PAGE);

	MUST(!mprotect(page, PAGE, RW));
	CHECK_NO_FAULT(store((void *)(rodata + 60), 'x'));
	CHECK_EQ(load(rodata + 60), 'x');
	MUST(!mprotect(page, PAGE, PROT_READ));
}

TEST(self_modifying, "code written, made executable, rewritten, run again gives the new result")
{
	unsigned char *p = (unsigned char *)map_anon(PAGE, RW);
	int (*fn)(void) = (int (*)(void))p;

	for (int i = 1; i <= 3; i++) {
		MUST(!mprotect(p, PAGE, RW));
		p[0] = 0xb8; /* mov $i, %eax; ret */
		p[1] = i;
		p[2] = p[3] = p[4] = 0;
		p[5] = RET_INSTRUCTION;
		MUST(!mprotect(p, PAGE, PROT_READ | PROT_EXEC));
		CHECK_EQ(fn(), i);
	}
	munmap(p, PAGE);
}

TEST_MAIN()
