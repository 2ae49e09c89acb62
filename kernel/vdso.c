/* SPDX-License-Identifier: MIT
 *
 * The vdso in memory: a nameless file that stays there, its first page the data, which only the kernel writes, the rest
 * the code. As mappings of a file they need nothing of their own in faults, in fork or at exit; their flags keep
 * them from growing, merging and being locked, and the data from everybody but its readers.
 */
#include <arch/vdso.h>
#include <fs/vfs.h>
#include <kern/err.h>
#include <kern/string.h>
#include <kernel/time.h>
#include <kernel/vdso.h>
#include <mm/filemap.h>
#include <mm/mm.h>

static struct file *vdso_file; /* [I] */
static struct vdso_data early_data;
static struct vdso_data *vdso_data = &early_data; /* [I] later on the file's first page */

static unsigned long code_size(void)
{
	return PAGE_ALIGN((unsigned long)vdso_image_end - (unsigned long)vdso_image);
}

unsigned long vdso_size(void)
{
	return PAGE_SIZE + code_size();
}

/* A page of the file, which keeps a reference for ever. */
static void *file_page(struct mapping *m, unsigned long index)
{
	struct folio *folio = filemap_grab_folio(m, index);

	if (IS_ERR(folio))
		panic("no memory for the vdso");
	folio_mark_dirty_lock(folio);
	folio_leave_lru(folio);
	return folio_address(folio);
}

void vdso_init(void)
{
	unsigned long left = (unsigned long)vdso_image_end - (unsigned long)vdso_image;
	const char *image = vdso_image;
	struct file_mmap fm;

	vdso_file = shmem_file_setup("vdso", vdso_size());
	if (IS_ERR(vdso_file) || file_mmap_info(vdso_file, &fm))
		panic("no memory for the vdso");
	fm.mapping->flags |= MAPPING_PERMANENT;
	vdso_data = file_page(fm.mapping, 0);
	*vdso_data = early_data;
	arch_vdso_clock(vdso_data);
	for (unsigned long i = 1; left; i++) {
		size_t n = min(left, PAGE_SIZE);

		memcpy(file_page(fm.mapping, i), image, n);
		image += n;
		left -= n;
	}
}

void vdso_set_realtime(s64 offset_ns)
{
	__atomic_store_n(&vdso_data->realtime_offset_ns, offset_ns, __ATOMIC_RELAXED);
}

long vdso_map(struct mm *mm, unsigned long start)
{
	const unsigned long data =
		VM_READ | VM_MAYREAD | VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP;
	const unsigned long code =
		VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_DONTEXPAND;
	int err = mm_map_special(mm, start, PAGE_SIZE, data, vdso_file, 0);

	if (!err)
		err = mm_map_special(mm, start + PAGE_SIZE, code_size(), code, vdso_file, 1);
	return err ? err : (long)(start + PAGE_SIZE);
}
