/* SPDX-License-Identifier: MIT
 *
 * A permission that mprotect takes away is gone for the next access, one it gives is there.
 */
#include "test.h"

TEST(take_write, "write permission: taken from a present page, given back, content kept")
{
	char *p = map_anon(PAGE, RW);

	store(p, 1);
	MUST(!mprotect(p, PAGE, PROT_READ));
	CHECK_FAULT(store(p + 5, 2), SIGSEGV, SEGV_ACCERR, p + 5);
	CHECK_EQ(fault_seen.err, 7);
	CHECK_EQ(load(p), 1);
	MUST(!mprotect(p, PAGE, RW));
	CHECK_NO_FAULT(store(p, 3));
	CHECK_EQ(load(p), 3);
	munmap(p, PAGE);
}

TEST(take_write_absent, "write to an absent read-only page")
{
	char *p = map_anon(PAGE, PROT_READ);

	CHECK_FAULT(store(p, 2), SIGSEGV, SEGV_ACCERR, p);
	CHECK_EQ(fault_seen.err, 6);
	munmap(p, PAGE);
}

TEST(none, "PROT_NONE refuses everything, resident or not, and loses nothing")
{
	char *p = map_anon(2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);

	store(p, RET_INSTRUCTION);
	MUST(!mprotect(p, 2 * PAGE, PROT_NONE));
	for (int i = 0; i < 2; i++) {
		CHECK_FAULT(load(p + i * PAGE), SIGSEGV, SEGV_ACCERR, p + i * PAGE);
		CHECK_EQ(fault_seen.err, 4);
		CHECK_FAULT(store(p + i * PAGE, 1), SIGSEGV, SEGV_ACCERR, p + i * PAGE);
		CHECK_EQ(fault_seen.err, 6);
		CHECK_FAULT(jump_to(p + i * PAGE), SIGSEGV, SEGV_ACCERR, p + i * PAGE);
		CHECK_EQ(fault_seen.err, 0x14);
	}
	MUST(!mprotect(p, 2 * PAGE, PROT_READ));
	CHECK_EQ(load(p), RET_INSTRUCTION);
	munmap(p, 2 * PAGE);
}

TEST(exec, "execute permission is given and taken")
{
	char *p = map_anon(PAGE, RW);

	store(p, RET_INSTRUCTION);
	CHECK_FAULT(jump_to(p), SIGSEGV, SEGV_ACCERR, p);
	CHECK_EQ(fault_seen.err, 0x15);
	MUST(!mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	CHECK_NO_FAULT(jump_to(p));
	MUST(!mprotect(p, PAGE, PROT_READ));
	CHECK_FAULT(jump_to(p), SIGSEGV, SEGV_ACCERR, p);
	munmap(p, PAGE);
}

TEST(exec_absent, "a jump to an absent page without execute permission faults it in first: 0x15")
{
	char *p = map_anon(PAGE, RW);

	CHECK_FAULT(jump_to(p), SIGSEGV, SEGV_ACCERR, p);
	CHECK_EQ(fault_seen.err, 0x15);
	CHECK_EQ(resident(p, PAGE), 1);
	munmap(p, PAGE);
}

TEST(write_only, "a write-only mapping can be read: x86 has no such pages")
{
	char *p = map_anon(PAGE, PROT_WRITE);

	CHECK_NO_FAULT(load(p));
	CHECK_NO_FAULT(store(p, 4));
	CHECK_EQ(load(p), 4);
	munmap(p, PAGE);
}

TEST(many_pages, "taking write permission from 300 present pages reaches each of them")
{
	char *p = map_anon(300 * PAGE, RW);
	int caught = 0;

	for (int i = 0; i < 300; i++)
		store(p + i * PAGE, i);
	MUST(!mprotect(p, 300 * PAGE, PROT_READ));
	for (int i = 0; i < 300; i++) {
		CATCH(store(p + i * PAGE, 1));
		caught += fault_seen.sig == SIGSEGV && fault_seen.code == SEGV_ACCERR;
	}
	CHECK_EQ(caught, 300);
	MUST(!mprotect(p, 300 * PAGE, RW));
	for (int i = 0; i < 300; i++)
		if (load(p + i * PAGE) != (unsigned char)i)
			FAIL("page %d lost its content", i);
	munmap(p, 300 * PAGE);
}

TEST(no_fault_cost, "no fault for a page that is given write permission back (it is exclusive)")
{
	char *p = map_anon(16 * PAGE, RW);

	memset(p, 1, 16 * PAGE);
	MUST(!mprotect(p, 16 * PAGE, PROT_READ));
	MUST(!mprotect(p, 16 * PAGE, RW));
	long before = minor_faults();

	memset(p, 2, 16 * PAGE);
	/* Linux before 6.2 takes one fault a page here. */
	CHECK_RANGE(minor_faults() - before, 0, 16);
	munmap(p, 16 * PAGE);
}

TEST(shared_zero, "write permission for pages that map the zero page")
{
	char *p = map_anon(4 * PAGE, PROT_READ);

	for (int i = 0; i < 4; i++)
		CHECK_EQ(load(p + i * PAGE), 0);
	MUST(!mprotect(p, 4 * PAGE, RW));
	store(p + PAGE, 9);
	CHECK_EQ(load(p), 0);
	CHECK_EQ(load(p + PAGE), 9);
	CHECK_EQ(load(p + 2 * PAGE), 0);
	munmap(p, 4 * PAGE);
}

TEST_MAIN()
