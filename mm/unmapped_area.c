/* SPDX-License-Identifier: MIT
 *
 * Where mmap and mremap put a mapping: at the hint if that is free, or else as high as possible below mmap_base. What may
 * have large folios goes where these can be mapped as they are: address and file offset agree modulo their size.
 */
#include "filemap_large.h"
#include "vma.h"

#define MAP_32BIT_LOW 0x40000000UL
#define MAP_32BIT_HIGH 0x80000000UL

/* The highest place below mmap_base, or else the lowest above. 0: none. */
static unsigned long find_place(struct mm *mm, unsigned long len, unsigned long map_flags)
{
	unsigned long low = PAGE_ALIGN(knob_mmap_min_addr), addr;

	if (map_flags & MAP_32BIT)
		return vma_gap(mm, len, MAP_32BIT_LOW, MAP_32BIT_HIGH, true);
	addr = vma_gap(mm, len, low, mm->mmap_base, false);
	return addr ? addr : vma_gap(mm, len, mm->mmap_base, TASK_SIZE, true);
}

/* A hint is taken when the place is free, guard gaps included, and ends below high. */
static bool hint_fits(struct mm *mm, unsigned long addr, unsigned long len, unsigned long high)
{
	struct vma *vma;

	if (len > high || addr > high - len)
		return false;
	vma = vma_find(mm, addr);
	return !vma || addr + len <= vma_start_gap(vma);
}

/* A hint below the minimum is moved up to it. 0: none. */
static unsigned long round_hint(unsigned long addr)
{
	addr &= PAGE_MASK;
	return addr ? max(addr, PAGE_ALIGN(knob_mmap_min_addr)) : 0;
}

unsigned long get_unmapped_area(struct mm *mm, unsigned long addr, unsigned long len,
				unsigned long map_flags)
{
	mmap_assert_write_locked(mm);
	if (len > TASK_SIZE)
		return (unsigned long)-ENOMEM;
	if (map_flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		if (addr > TASK_SIZE - len)
			return (unsigned long)-ENOMEM;
		if (!IS_ALIGNED(addr, PAGE_SIZE))
			return (unsigned long)-EINVAL;
		if (addr < knob_mmap_min_addr && !caller_has_rawio())
			return (unsigned long)-EPERM;
		return addr;
	}
	addr = round_hint(addr);
	if (addr && hint_fits(mm, addr, len, map_flags & MAP_32BIT ? MAP_32BIT_HIGH : TASK_SIZE))
		return addr;
	addr = find_place(mm, len, map_flags);
	return addr ? addr : (unsigned long)-ENOMEM;
}

unsigned long shmem_unmapped_area(struct mm *mm, unsigned long hint, unsigned long len,
				  unsigned long map_flags, const unsigned long *huge,
				  unsigned long pgoff)
{
	unsigned long addr = get_unmapped_area(mm, hint, len, map_flags), orders, size, want, room;

	if ((map_flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) || IS_ERR_VALUE(addr) ||
	    addr == round_hint(hint))
		return addr;
	orders = shmem_orders(huge);
	if (!orders)
		return addr;
	size = PAGE_SIZE << (63 - (unsigned int)__builtin_clzl(orders));
	want = (pgoff << PAGE_SHIFT) & (size - 1);
	/* Not one whole folio could be mapped, or all is well. */
	if (len < size || (want && want + len < 2 * size) || (addr & (size - 1)) == want)
		return addr;
	room = get_unmapped_area(mm, 0, len + size - PAGE_SIZE, map_flags);
	return IS_ERR_VALUE(room) ? addr : room + ((want - room) & (size - 1));
}
