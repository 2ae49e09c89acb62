/* SPDX-License-Identifier: MIT
 *
 * The ELF header checks: whatever the file says, an accepted image lies inside the file and
 * inside user space.
 */
#include "sim_host.h"

#include <arch/page_types.h>
#include <kern/assert.h>
#include <kern/string.h>
#include <kernel/elf.h>
#include <uapi/errno.h>

#define CHECK(cond) BUG_ON(!(cond))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Most inputs get past the first comparisons. */
static void make_plausible(struct elf64_hdr *h, size_t size)
{
	memcpy(h->e_ident, ELFMAG, SELFMAG);
	h->e_machine = EM_X86_64;
	h->e_type = h->e_type % 2 ? ET_EXEC : ET_DYN;
	h->e_phentsize = sizeof(struct elf64_phdr);
	h->e_phoff %= size;
	h->e_phnum %= 16;
}

static void check_image(const struct elf64_phdr *ph, const struct elf_image *image, u64 file_size)
{
	CHECK(image->start < image->end && image->end <= ALIGN_UP(TASK_SIZE, PAGE_SIZE));
	CHECK(IS_ALIGNED(image->start | image->end, PAGE_SIZE));
	CHECK(image->align >= PAGE_SIZE && !(image->align & (image->align - 1)));
	CHECK(!image->interp_size || (image->interp_offset <= file_size &&
				      image->interp_size <= file_size - image->interp_offset));
	for (unsigned int i = 0; i < image->phnum; i++) {
		if (ph[i].p_type != PT_LOAD)
			continue;
		CHECK(ph[i].p_filesz <= ph[i].p_memsz);
		CHECK(ph[i].p_vaddr >= image->start && ph[i].p_vaddr + ph[i].p_memsz <= image->end);
		CHECK(!ph[i].p_filesz || ph[i].p_vaddr % PAGE_SIZE == ph[i].p_offset % PAGE_SIZE);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_image image;
	struct elf64_hdr h;
	struct elf64_phdr *ph;
	u8 *file = host_alloc(size ? size : 1);
	size_t ph_bytes;
	int err;

	memcpy(file, data, size);
	if (size >= sizeof(h) && data[0] % 8) {
		memcpy(&h, file, sizeof(h));
		make_plausible(&h, size);
		memcpy(file, &h, sizeof(h));
	}
	err = elf_check_header(file, size, size, &image);
	CHECK(err == 0 || err == -ENOEXEC);
	if (!err) {
		ph_bytes = image.phnum * sizeof(*ph);
		CHECK(image.phnum && image.phoff <= size && ph_bytes <= size - image.phoff);
		ph = host_alloc(ph_bytes);
		memcpy(ph, file + image.phoff, ph_bytes);
		err = elf_check_segments(ph, size, &image);
		CHECK(err == 0 || err == -ENOEXEC || err == -EINVAL);
		if (!err)
			check_image(ph, &image, size);
		host_free(ph);
	}
	host_free(file);
	return 0;
}
