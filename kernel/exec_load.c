/* SPDX-License-Identifier: MIT
 *
 * A new address space for a program: its segments, its dynamic loader's, and the first contents of
 * its stack. All of it happens before the old address space goes away, through mm_get_page().
 *
 * The stack from its top: 0; the path of the program; environment strings; argument strings;
 * "x86_64" and 16 random bytes; a gap for alignment; the auxiliary vector; envp[]; argv[]; argc,
 * where the stack pointer is.
 */
#include <arch/thread.h>
#include <fs/vfs.h>
#include <kern/err.h>
#include <kern/string.h>
#include <kernel/exec.h>
#include <kernel/user_namespace.h>
#include <kernel/vdso.h>
#include <mm/mm.h>
#include <mm/slab.h>
#include <uapi/auxvec.h>

/* Where programs without fixed addresses start: two thirds up, as in Linux. */
#define PIE_BASE (TASK_SIZE / 3 * 2)
#define PIE_RANDOM_PAGES (1UL << 28)
#define STACK_RANDOM_PAGES (1UL << 22)
#define STACK_RANDOM_BYTES 8192UL
#define BRK_RANDOM_BYTES (32UL << 20)
#define STACK_EXTRA (128UL << 10) /* room below the first contents that needs no growing */
#define SIGFRAME_ROOM 640	  /* rt_sigframe, its alignment and return address */
#define MAX_AUXV 24

static const char platform[] = "x86_64";

/* ---- headers ---- */

static int read_exactly(struct file *file, void *buf, size_t n, u64 pos)
{
	ssize_t done = kernel_read(file, buf, n, pos);

	if (done < 0)
		return (int)done;
	return (size_t)done == n ? 0 : -EIO;
}

int exec_read_headers(struct exec_image *image)
{
	u64 size = inode_size(image->file->inode);
	size_t bytes;
	int err = elf_check_header(image->head, image->head_len, size, &image->elf);

	if (err)
		return err;
	bytes = image->elf.phnum * sizeof(struct elf64_phdr);
	if (image->elf.phoff + bytes <= image->head_len && image->elf.phoff % 8 == 0) {
		image->phdrs = (struct elf64_phdr *)(image->head + image->elf.phoff);
	} else {
		image->phdrs = kmalloc(bytes, GFP_KERNEL);
		if (!image->phdrs)
			return -ENOMEM;
		if (read_exactly(image->file, image->phdrs, bytes, image->elf.phoff))
			return -ENOEXEC;
	}
	return elf_check_segments(image->phdrs, size, &image->elf);
}

void exec_image_free(struct exec_image *image)
{
	char *phdrs = (char *)image->phdrs;

	if (phdrs && (phdrs < image->head || phdrs >= image->head + sizeof(image->head)))
		kfree(phdrs);
	image->phdrs = NULL;
	if (image->file)
		file_put(image->file);
	image->file = NULL;
}

/* ---- writing into an address space that is not loaded ---- */

struct mm_writer {
	struct mm *mm;
	unsigned long addr;
	struct page *page; /* the one that holds addr, or NULL */
	int err;	   /* the first error; nothing is written after it */
};

static void writer_drop_page(struct mm_writer *w)
{
	if (w->page)
		mm_put_page(w->page);
	w->page = NULL;
}

static void writer_seek(struct mm_writer *w, unsigned long addr)
{
	if ((w->addr ^ addr) & PAGE_MASK)
		writer_drop_page(w);
	w->addr = addr;
}

/* src NULL: zeroes. */
static void write_mem(struct mm_writer *w, const void *src, size_t n)
{
	while (n && !w->err) {
		size_t offset = w->addr % PAGE_SIZE, part = min(n, PAGE_SIZE - offset);
		char *dst;

		if (!w->page) {
			w->page = mm_get_page(w->mm, w->addr & PAGE_MASK, true, false);
			if (IS_ERR(w->page)) {
				w->err = (int)PTR_ERR(w->page);
				w->page = NULL;
				return;
			}
		}
		dst = (char *)page_address(w->page) + offset;
		if (src) {
			memcpy(dst, src, part);
			src = (const char *)src + part;
		} else {
			memset(dst, 0, part);
		}
		n -= part;
		w->addr += part;
		if (w->addr % PAGE_SIZE == 0)
			writer_drop_page(w);
	}
}

static void write_word(struct mm_writer *w, u64 word)
{
	write_mem(w, &word, sizeof(word));
}

/* ---- segments ---- */

static unsigned long random_below(unsigned long n)
{
	return caller_random() % n;
}

static unsigned long segment_prot(const struct elf64_phdr *ph)
{
	return (ph->p_flags & PF_R ? PROT_READ : 0) | (ph->p_flags & PF_W ? PROT_WRITE : 0) |
	       (ph->p_flags & PF_X ? PROT_EXEC : 0);
}

/*
 * What lies behind the segment's part of the file: the rest of the last page, then anonymous pages.
 */
static int map_bss(struct mm *mm, const struct elf64_phdr *ph, unsigned long file_end,
		   unsigned long end)
{
	struct mm_writer w = { .mm = mm, .addr = file_end };
	unsigned long page_end = PAGE_ALIGN(file_end), prot = PROT_READ | PROT_WRITE;
	long ret;

	if (ph->p_filesz && page_end != file_end && (ph->p_flags & PF_W)) {
		write_mem(&w, NULL, page_end - file_end);
		writer_drop_page(&w);
		if (w.err)
			return w.err;
	}
	if (PAGE_ALIGN(end) <= page_end)
		return 0;
	ret = mm_mmap(mm, page_end, PAGE_ALIGN(end) - page_end,
		      prot | (segment_prot(ph) & PROT_EXEC),
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);
	return IS_ERR_VALUE((unsigned long)ret) ? (int)ret : 0;
}

static int map_segment(struct mm *mm, struct file *file, const struct elf64_phdr *ph,
		       unsigned long bias)
{
	unsigned long addr = ph->p_vaddr + bias, start = addr & PAGE_MASK;
	unsigned long file_end = ph->p_filesz ? addr + ph->p_filesz : start;
	long ret;

	if (ph->p_filesz) {
		ret = mm_mmap(mm, start, PAGE_ALIGN(file_end) - start, segment_prot(ph),
			      MAP_PRIVATE | MAP_FIXED, file, ph->p_offset >> PAGE_SHIFT);
		if (IS_ERR_VALUE((unsigned long)ret))
			return (int)ret;
	}
	if (ph->p_memsz <= ph->p_filesz)
		return 0;
	return map_bss(mm, ph, file_end, addr + ph->p_memsz);
}

/* A place in the area of mmap(). 0: none. */
static unsigned long find_place(struct mm *mm, unsigned long size, unsigned long align)
{
	unsigned long addr;

	mmap_write_lock(mm);
	addr = vma_gap(mm, size + align - PAGE_SIZE, PAGE_ALIGN(knob_mmap_min_addr), mm->mmap_base,
		       false);
	mmap_write_unlock(mm);
	return ALIGN_UP(addr, align);
}

/* Sets image->bias. main_pie: a program with a loader; it has an area of its own. */
static int choose_base(struct mm *mm, struct exec_image *image, bool main_pie, bool aslr)
{
	const struct elf_image *elf = &image->elf;
	unsigned long size = elf->end - elf->start, base;

	image->bias = 0;
	if (!elf->relocatable)
		return 0;
	if (main_pie) {
		base = PIE_BASE + (aslr ? random_below(PIE_RANDOM_PAGES) << PAGE_SHIFT : 0);
		base = ALIGN_DOWN(base & PAGE_MASK, elf->align);
		if (size > mm->mmap_base || base > mm->mmap_base - size)
			return -ENOMEM;
	} else {
		base = find_place(mm, size, elf->align);
		if (!base)
			return -ENOMEM;
	}
	image->bias = base - elf->start;
	return 0;
}

static int map_image(struct mm *mm, struct exec_image *image, bool main_pie, bool aslr)
{
	int err = choose_base(mm, image, main_pie, aslr);
	unsigned int i;

	for (i = 0; i < image->elf.phnum && !err; i++)
		if (image->phdrs[i].p_type == PT_LOAD)
			err = map_segment(mm, image->file, &image->phdrs[i], image->bias);
	return err;
}

/*
 * The heap starts behind the program; a program in the area of mmap() gets its heap where it cannot
 * meet the rest.
 */
static void place_brk(struct exec_program *p)
{
	const struct elf_image *elf = &p->main->elf;
	unsigned long brk = elf->end + p->main->bias;

	if (elf->relocatable && !p->interp)
		brk = PIE_BASE & PAGE_MASK;
	if (p->aslr && knob_aslr == 2)
		brk += random_below(BRK_RANDOM_BYTES) & PAGE_MASK;
	p->mm->start_brk = brk;
	p->mm->brk = brk;
}

static void note_layout(struct exec_program *p)
{
	const struct elf_image *elf = &p->main->elf;
	unsigned long bias = p->main->bias;
	struct mm *mm = p->mm;

	if (elf->code_end) {
		mm->start_code = elf->code_start + bias;
		mm->end_code = elf->code_end + bias;
	}
	mm->start_data = elf->data_start + bias;
	mm->end_data = elf->data_end + bias;
	file_get(p->main->file);
	mm->exe_file = p->main->file;
}

/* ---- the stack ---- */

struct stack_layout {
	unsigned long top;
	unsigned long filename, env_strings, arg_strings; /* addresses */
	unsigned long platform, random;
	unsigned long sp;
	unsigned long vdso; /* its code */
	u64 auxv[2 * MAX_AUXV];
	unsigned int nr_auxv; /* words */
};

static void add_aux(struct stack_layout *s, u64 type, u64 value)
{
	s->auxv[s->nr_auxv++] = type;
	s->auxv[s->nr_auxv++] = value;
}

static void fill_auxv(struct stack_layout *s, const struct exec_program *p)
{
	const struct elf_image *elf = &p->main->elf;
	const struct user_namespace *ns = p->cred->user_ns;
	unsigned long bias = p->main->bias;

	add_aux(s, AT_SYSINFO_EHDR, s->vdso);
	add_aux(s, AT_MINSIGSTKSZ, ALIGN_UP(fpu_frame_size() + SIGFRAME_ROOM, 16UL));
	add_aux(s, AT_HWCAP, arch_elf_hwcap());
	add_aux(s, AT_PAGESZ, PAGE_SIZE);
	add_aux(s, AT_CLKTCK, NSEC_PER_SEC / TICK_NS);
	add_aux(s, AT_PHDR, elf->phdr_addr ? elf->phdr_addr + bias : 0);
	add_aux(s, AT_PHENT, sizeof(struct elf64_phdr));
	add_aux(s, AT_PHNUM, elf->phnum);
	add_aux(s, AT_BASE, p->interp ? p->interp->bias : 0);
	add_aux(s, AT_FLAGS, 0);
	add_aux(s, AT_ENTRY, elf->entry + bias);
	add_aux(s, AT_UID, shown_uid(ns, p->cred->uid));
	add_aux(s, AT_EUID, shown_uid(ns, p->cred->euid));
	add_aux(s, AT_GID, shown_gid(ns, p->cred->gid));
	add_aux(s, AT_EGID, shown_gid(ns, p->cred->egid));
	add_aux(s, AT_SECURE, p->secure);
	add_aux(s, AT_RANDOM, s->random);
	add_aux(s, AT_HWCAP2, arch_elf_hwcap2());
	add_aux(s, AT_EXECFN, s->filename);
	add_aux(s, AT_PLATFORM, s->platform);
	add_aux(s, AT_NULL, 0);
}

static size_t prefix_bytes(const struct exec_args *a)
{
	size_t n = 0;
	unsigned int i;

	for (i = 0; i < a->nr_prefix; i++)
		n += strlen(a->prefix[i]) + 1;
	return n;
}

/* Where string i of argv and envp starts in the buffer; one past the last: where it ends. */
static u64 string_offset(const struct exec_args *a, unsigned int i)
{
	size_t at = i * sizeof(u64);
	u64 offset;

	if (i == a->argc + a->envc)
		return a->strings.used;
	memcpy(&offset, a->offsets.pages[at / PAGE_SIZE] + at % PAGE_SIZE, sizeof(offset));
	return offset;
}

static void lay_out(struct stack_layout *s, const struct exec_program *p)
{
	const struct exec_args *a = p->args;
	u64 args = string_offset(a, a->argc) - string_offset(a, a->skip_argv0);
	u64 envs = a->strings.used - string_offset(a, a->argc);
	unsigned long words, sp;

	s->filename = s->top - sizeof(u64) - (strlen(p->filename) + 1);
	s->env_strings = s->filename - envs;
	s->arg_strings = s->env_strings - args - prefix_bytes(a);
	sp = s->arg_strings;
	if (p->aslr)
		sp -= random_below(STACK_RANDOM_BYTES);
	s->platform = (sp & ~15UL) - sizeof(platform);
	s->random = (s->platform & ~15UL) - 16;
	fill_auxv(s, p);
	words = 1 + exec_args_argc(a) + 1 + a->envc + 1 + s->nr_auxv;
	s->sp = (s->random - words * sizeof(u64)) & ~15UL;
}

static void write_strings(struct mm_writer *w, const struct stack_layout *s,
			  const struct exec_program *p)
{
	const struct exec_args *a = p->args;
	u64 at = string_offset(a, a->skip_argv0);
	unsigned int i;

	writer_seek(w, s->arg_strings);
	for (i = 0; i < a->nr_prefix; i++)
		write_mem(w, a->prefix[i], strlen(a->prefix[i]) + 1);
	while (at < a->strings.used) {
		size_t part = min(a->strings.used - at, PAGE_SIZE - at % PAGE_SIZE);

		write_mem(w, a->strings.pages[at / PAGE_SIZE] + at % PAGE_SIZE, part);
		at += part;
	}
	write_mem(w, p->filename, strlen(p->filename) + 1);
}

static void write_vectors(struct mm_writer *w, const struct stack_layout *s,
			  const struct exec_args *a)
{
	unsigned long addr = s->arg_strings;
	u64 first = string_offset(a, a->skip_argv0);
	unsigned int i;

	writer_seek(w, s->sp);
	write_word(w, exec_args_argc(a));
	for (i = 0; i < a->nr_prefix; i++) {
		write_word(w, addr);
		addr += strlen(a->prefix[i]) + 1;
	}
	for (i = a->skip_argv0; i < a->argc; i++)
		write_word(w, addr + string_offset(a, i) - first);
	write_word(w, 0);
	for (; i < a->argc + a->envc; i++)
		write_word(w, addr + string_offset(a, i) - first);
	write_word(w, 0);
	write_mem(w, s->auxv, s->nr_auxv * sizeof(u64));
}

/*
 * Somewhere above the stack, where no other page table is needed for it; in the area of mmap() when there is no room.
 */
static long map_vdso(struct exec_program *p, unsigned long top)
{
	unsigned long room = min(TASK_SIZE, ALIGN_UP(top, PMD_SIZE)) - top, size = vdso_size();

	if (room < size) {
		top = find_place(p->mm, size, PAGE_SIZE);
		if (!top)
			return -ENOMEM;
	} else {
		top += random_below((room - size) / PAGE_SIZE + 1) << PAGE_SHIFT;
	}
	return vdso_map(p->mm, top);
}

static int build_stack(struct exec_program *p)
{
	u64 limit = caller_rlimit(LIMIT_STACK), random[2] = { caller_random(), caller_random() };
	struct mm_writer w = { .mm = p->mm };
	struct mm *mm = p->mm;
	struct stack_layout s = { .top = TASK_SIZE };
	unsigned long size;
	long vdso;
	int err;

	if (p->aslr)
		s.top -= random_below(STACK_RANDOM_PAGES) << PAGE_SHIFT;
	vdso = map_vdso(p, s.top);
	if (vdso < 0)
		return (int)vdso;
	s.vdso = (unsigned long)vdso;
	lay_out(&s, p);
	size = s.top - (s.sp & PAGE_MASK);
	if (size + STACK_EXTRA <= limit)
		size += STACK_EXTRA;
	err = mm_setup_stack(mm, s.top, size,
			     PROT_READ | PROT_WRITE | (p->main->elf.exec_stack ? PROT_EXEC : 0));
	if (err)
		return err;

	write_vectors(&w, &s, p->args);
	writer_seek(&w, s.random);
	write_mem(&w, random, sizeof(random));
	writer_seek(&w, s.platform);
	write_mem(&w, platform, sizeof(platform));
	write_strings(&w, &s, p);
	writer_drop_page(&w);

	mm->start_stack = s.sp;
	mm->arg_start = s.arg_strings;
	mm->arg_end = s.env_strings;
	mm->env_start = s.env_strings;
	mm->env_end = s.filename;
	memcpy(mm->saved_auxv, s.auxv, sizeof(s.auxv));
	p->sp = s.sp;
	return w.err;
}

int exec_load(struct exec_program *p)
{
	struct exec_image *start = p->interp ? p->interp : p->main;
	int err = map_image(p->mm, p->main, p->interp, p->aslr);

	if (!err && p->interp)
		err = map_image(p->mm, p->interp, false, p->aslr);
	if (err)
		return err;
	place_brk(p);
	note_layout(p);
	p->entry = start->elf.entry + start->bias;
	if (p->entry >= TASK_SIZE)
		return -EINVAL;
	return build_stack(p);
}
