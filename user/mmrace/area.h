/* SPDX-License-Identifier: MIT
 *
 * Scenarios "layout", "populate" and "shared": all workers change one small area and access it at the same
 * time. What an access may find: a fault, zero, or what the owner of the word wrote.
 */
#ifndef USER_MMRACE_AREA_H
#define USER_MMRACE_AREA_H

#include "race.h"

#define AREA 48 /* pages */

static char *area;
static int area_file = -1;  /* what mappings are of; -1: anonymous memory */
static int area_shared;	    /* MAP_SHARED or MAP_PRIVATE */
static int through_file;    /* for accesses by the kernel */
static bool area_populates; /* madvise(MADV_POPULATE_*) among the operations */

struct range {
	char *at;
	size_t len;
};

static struct range any_range(struct worker *w)
{
	unsigned int at = below(w, AREA), n = 1 + below(w, one_in(w, 4) ? 16 : 3);

	if (at + n > AREA)
		n = AREA - at;
	return (struct range){ area + at * PAGE, n * PAGE };
}

static void area_map(struct range r, int flags)
{
	off_t offset = r.at - area;

	flags |= MAP_FIXED | area_shared | (area_file < 0 ? MAP_ANONYMOUS : 0);
	if (mmap(r.at, r.len, RW, flags, area_file, area_file < 0 ? 0 : offset) != r.at)
		fail("mmap: errno %d", errno);
}

static void area_protect(struct worker *w, struct range r)
{
	static const int prots[] = { PROT_NONE, PROT_READ, RW, RW };

	may(mprotect(r.at, r.len, prots[below(w, 4)]), ENOMEM, 0, "mprotect");
}

static void area_move(struct worker *w, struct range r)
{
	struct range to = any_range(w);
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;

	/* A file's pages stay at their offset, so that a tag says which page it must be in. */
	if (area_file >= 0 || to.at + r.len > area + AREA * PAGE ||
	    (to.at < r.at + r.len && r.at < to.at + r.len))
		return;
	/* EFAULT: nothing is there, or more than one mapping. */
	may(mremap(r.at, r.len, r.len, flags, to.at) == MAP_FAILED ? -1 : 0, EFAULT, 0, "mremap");
}

static void area_populate(struct worker *w, struct range r)
{
	bool write = one_in(w, 2);
	int ret = madvise(r.at, r.len, write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);

	/* EINVAL: not permitted there; EFAULT: moved while it ran. */
	if (ret && errno != ENOMEM && errno != EINVAL && errno != EFAULT && errno != EAGAIN)
		fail("MADV_POPULATE: errno %d", errno);
}

static void area_change(struct worker *w)
{
	struct range r = any_range(w);

	switch (below(w, area_populates ? 9 : 6)) {
	case 0:
		area_map(r, 0);
		break;
	case 1:
		must(!munmap(r.at, r.len), "munmap");
		break;
	case 2:
		area_protect(w, r);
		break;
	case 3:
		area_move(w, r);
		break;
	case 4:
		may(madvise(r.at, r.len, MADV_DONTNEED), ENOMEM, 0, "MADV_DONTNEED");
		break;
	case 5:
		area_map(r, one_in(w, 2) ? MAP_POPULATE : 0);
		break;
	default:
		area_populate(w, r);
		break;
	}
}

/* -1: pages of anonymous memory move about, so any page's tag may be here. */
static int tag_page(unsigned int page)
{
	return area_file < 0 ? -1 : (int)page;
}

static void area_access(struct worker *w)
{
	unsigned int page = below(w, AREA);
	int other = (int)below(w, (unsigned int)nr_workers);
	char *p = area + page * PAGE;
	uint64_t value = 0;

	if (!try_load(word_of(p, other), &value))
		check_tag(value, other, tag_page(page));
	try_store(word_of(p, w->index), tag(w->index, page));
	if (!try_load(word_of(p, w->index), &value))
		check_tag(value, w->index, tag_page(page));
}

/* The kernel reads from the page or writes into it. */
static void area_kernel_access(struct worker *w)
{
	unsigned int page = below(w, AREA);
	char *p = (char *)word_of(area + page * PAGE, w->index);
	uint64_t value = tag(w->index, page);
	off_t mine = w->index * 4096;

	if (one_in(w, 2)) {
		must(pwrite(through_file, &value, 8, mine) == 8, "pwrite");
		may(pread(through_file, p, 8, mine), EFAULT, 0, "pread into the area");
	} else if (pwrite(through_file, p, 8, mine) == 8) {
		must(pread(through_file, &value, 8, mine) == 8, "pread");
		check_tag(value, w->index, tag_page(page));
	} else if (errno != EFAULT) {
		fail("pwrite from the area: errno %d", errno);
	}
}

static void area_work(struct worker *w)
{
	do {
		switch (below(w, 8)) {
		case 0:
		case 1:
			area_change(w);
			break;
		case 2:
			area_kernel_access(w);
			break;
		default:
			area_access(w);
			break;
		}
	} while (step(w));
}

static void area_set_up(int shared, int file, bool populates)
{
	char *p = mmap(NULL, (AREA + 32) * PAGE, PROT_NONE, ANON, -1, 0);

	must(p != MAP_FAILED, "mmap");
	area = p + 16 * PAGE;
	area_shared = shared;
	area_file = file;
	area_populates = populates;
	through_file = memfd_create("mmrace", MFD_CLOEXEC);
	must(through_file >= 0, "memfd_create");
	if (file >= 0)
		must(!ftruncate(file, AREA * PAGE), "ftruncate");
	area_map((struct range){ area, AREA * PAGE }, 0);
}

static void layout_set_up(void)
{
	area_set_up(MAP_PRIVATE, -1, false);
}

static void populate_set_up(void)
{
	area_set_up(MAP_PRIVATE, -1, true);
}

static void shared_set_up(void)
{
	area_set_up(MAP_SHARED, memfd_create("area", MFD_CLOEXEC), true);
}

static void private_file_set_up(void)
{
	area_set_up(MAP_PRIVATE, memfd_create("area", MFD_CLOEXEC), true);
}

#endif
