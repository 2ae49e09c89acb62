/* SPDX-License-Identifier: MIT
 *
 * Reading ELF headers (System V ABI, chapters 4 and 5). Every number comes from the file and may be
 * anything.
 */
#include <arch/page_types.h>
#include <kern/string.h>
#include <kernel/elf.h>
#include <uapi/errno.h>

#define MAX_PHDR_BYTES 65536u /* Linux's limit */
#define PATH_MAX 4096u

int elf_check_header(const void *buf, size_t len, u64 file_size, struct elf_image *image)
{
	struct elf64_hdr h;
	u64 bytes;

	memset(image, 0, sizeof(*image));
	if (len < sizeof(h))
		return -ENOEXEC;
	memcpy(&h, buf, sizeof(h));
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 || h.e_machine != EM_X86_64)
		return -ENOEXEC;
	if (h.e_type != ET_EXEC && h.e_type != ET_DYN)
		return -ENOEXEC;
	if (h.e_phentsize != sizeof(struct elf64_phdr))
		return -ENOEXEC;
	bytes = (u64)h.e_phnum * sizeof(struct elf64_phdr);
	if (!bytes || bytes > MAX_PHDR_BYTES)
		return -ENOEXEC;
	if (h.e_phoff > file_size || file_size - h.e_phoff < bytes)
		return -ENOEXEC;

	image->relocatable = h.e_type == ET_DYN;
	image->entry = h.e_entry;
	image->phoff = h.e_phoff;
	image->phnum = h.e_phnum;
	return 0;
}

/* The segment lies in user space, and can be mapped from the file page by page. */
static bool loadable(const struct elf64_phdr *ph)
{
	if (ph->p_filesz > ph->p_memsz || ph->p_memsz > TASK_SIZE)
		return false;
	if (ph->p_vaddr > TASK_SIZE || TASK_SIZE - ph->p_memsz < ph->p_vaddr)
		return false;
	return !ph->p_filesz || ph->p_vaddr % PAGE_SIZE == ph->p_offset % PAGE_SIZE;
}

static void note_segment(const struct elf64_phdr *ph, struct elf_image *image)
{
	u64 start = ph->p_vaddr, file_end = start + ph->p_filesz, end = start + ph->p_memsz;

	image->start = min(image->start, ALIGN_DOWN(start, PAGE_SIZE));
	image->end = max(image->end, ALIGN_UP(end, PAGE_SIZE));
	if (ph->p_align && !(ph->p_align & (ph->p_align - 1)) && ph->p_align < TASK_SIZE)
		image->align = max(image->align, ph->p_align);
	if (!image->phdr_addr && ph->p_offset <= image->phoff &&
	    image->phoff - ph->p_offset < ph->p_filesz)
		image->phdr_addr = start + (image->phoff - ph->p_offset);

	if (ph->p_flags & PF_X) {
		image->code_start = min(image->code_start, start);
		image->code_end = max(image->code_end, file_end);
	}
	image->data_start = max(image->data_start, start);
	image->data_end = max(image->data_end, file_end);
}

/* The first PT_INTERP counts. */
static int note_interp(const struct elf64_phdr *ph, u64 file_size, struct elf_image *image)
{
	if (image->interp_size)
		return 0;
	if (ph->p_filesz < 2 || ph->p_filesz > PATH_MAX)
		return -ENOEXEC;
	if (ph->p_offset > file_size || file_size - ph->p_offset < ph->p_filesz)
		return -ENOEXEC;
	image->interp_offset = ph->p_offset;
	image->interp_size = ph->p_filesz;
	return 0;
}

int elf_check_segments(const struct elf64_phdr *ph, u64 file_size, struct elf_image *image)
{
	bool bad = false, any = false;
	unsigned int i;

	image->start = ~0UL;
	image->code_start = ~0UL;
	image->align = PAGE_SIZE;
	for (i = 0; i < image->phnum; i++, ph++) {
		switch (ph->p_type) {
		case PT_INTERP:
			if (note_interp(ph, file_size, image))
				return -ENOEXEC;
			break;
		case PT_GNU_STACK:
			image->exec_stack = ph->p_flags & PF_X;
			break;
		case PT_LOAD:
			any = true;
			if (loadable(ph))
				note_segment(ph, image);
			else
				bad = true;
			break;
		}
	}
	if (bad || !any || image->end <= image->start)
		return -EINVAL;
	return 0;
}
