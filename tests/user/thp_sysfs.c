/* SPDX-License-Identifier: MIT
 *
 * /sys/kernel/mm/transparent_hugepage as programs read and write it: words of which the one that holds is in brackets,
 * for all sizes and for each.
 */
#include "lock.h"

#define DIR_NAME "/sys/kernel/mm/transparent_hugepage/"
#define SIZE_16K DIR_NAME "hugepages-16kB/"

static const char *const missing = "no " DIR_NAME;

/* The word in brackets. */
static const char *chosen_of(const char *file)
{
	static char word[32];

	return chosen(file, word, sizeof(word)) ? word : "";
}

TEST(words, "one word of several is in brackets")
{
	char *text = slurp(DIR_NAME "enabled");

	if (!text)
		SKIP(missing);
	CHECK(strstr(text, "always") && strstr(text, "madvise") && strstr(text, "never"));
	CHECK(strlen(chosen_of(DIR_NAME "enabled")) > 0);
	CHECK(strlen(chosen_of(DIR_NAME "defrag")) > 0);
	CHECK(strlen(chosen_of(DIR_NAME "shmem_enabled")) > 0);
	CHECK_EQ(atol(slurp(DIR_NAME "hpage_pmd_size")), 2097152);
}

TEST(writing, "another word is chosen; what is none is refused")
{
	char before[32];

	if (access(SIZE_16K "enabled", W_OK))
		SKIP(missing);
	strcpy(before, chosen_of(SIZE_16K "enabled"));
	for (const char *const *word =
		     (const char *const[]){ "always", "madvise", "inherit", "never\n", NULL };
	     *word; word++) {
		CHECK(tell(SIZE_16K "enabled", *word));
		CHECK(!strncmp(chosen_of(SIZE_16K "enabled"), *word, 5));
		CHECK(!tell(SIZE_16K "enabled", "sometimes"));
		CHECK(!tell(SIZE_16K "enabled", "alway"));
		CHECK(!strncmp(chosen_of(SIZE_16K "enabled"), *word, 5));
	}
	MUST(tell(SIZE_16K "enabled", before));
	CHECK(!tell(DIR_NAME "use_zero_page", "2"));
	CHECK(!tell(DIR_NAME "enabled", "sometimes"));
}

FORKED_TEST(sizes, "madvise for a size: four pages at once where MADV_HUGEPAGE is")
{
	char before[32];
	char *p;
	long allocs;

	if (access(SIZE_16K "stats/anon_fault_alloc", R_OK))
		SKIP(missing);
	strcpy(before, chosen_of(SIZE_16K "enabled"));
	allocs = atol(slurp(SIZE_16K "stats/anon_fault_alloc"));
	p = lonely_anon(16);
	p = (char *)(((uintptr_t)p + 4 * PAGE - 1) & ~(4 * PAGE - 1));
	MUST(!madvise(p, 4 * PAGE, MADV_HUGEPAGE)); /* no room for larger ones */
	MUST(tell(SIZE_16K "enabled", "never"));
	p[0] = 1;
	CHECK_EQ(rss(p, 4), 1);
	MUST(!madvise(p, 4 * PAGE, MADV_DONTNEED));
	MUST(tell(SIZE_16K "enabled", "madvise"));
	p[PAGE] = 1;
	MUST(tell(SIZE_16K "enabled", before));
	CHECK_EQ(rss(p, 4), 4);
	CHECK_RANGE(atol(slurp(SIZE_16K "stats/anon_fault_alloc")) - allocs, 1, 1L << 30);
}

TEST_MAIN()
