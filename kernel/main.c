/* SPDX-License-Identifier: MIT
 *
 * The boot order, as a list of calls, and the way to the first program.
 */
#include <arch/setup.h>
#include <drivers/tty.h>
#include <drivers/virtio_blk.h>
#include <fs/vfs.h>
#include <kern/console.h>
#include <kern/err.h>
#include <kern/knobs.h>
#include <kern/printk.h>
#include <kern/string.h>
#include <kern/xarray.h>
#include <kernel/flusher.h>
#include <kernel/kcompactd.h>
#include <kernel/khugepaged.h>
#include <kernel/fork.h>
#include <kernel/futex.h>
#include <kernel/rcu.h>
#include <kernel/signal.h>
#include <kernel/task.h>
#include <kernel/timer.h>
#include <kernel/vdso.h>
#include <mm/mm.h>
#include <mm/page_alloc.h>
#include <mm/slab.h>

const char *kernel_cmdline = "";

#define WORD_MAX 128

static char init_path[WORD_MAX] = "/init";

/* One word of the command line. Words that are nobody's are left to user space, as in Linux. */
static void parse_word(char *word)
{
	char *value = strchr(word, '=');

	if (strcmp(word, "quiet") == 0)
		(void)knob_set("loglevel", "4");
	if (strcmp(word, "nokaslr") == 0 || strcmp(word, "norandmaps") == 0)
		(void)knob_set("kernel.randomize_va_space", "0");
	if (!value)
		return;
	*value++ = '\0';
	if (strcmp(word, "rdinit") == 0)
		(void)strscpy(init_path, value, sizeof(init_path));
	else if (knob_set(word, value) == -EINVAL)
		pr_warn("%s=%s: not a value of this knob", word, value);
}

static void parse_cmdline(const char *s)
{
	char word[WORD_MAX];

	while (*s) {
		size_t n = 0;

		while (*s == ' ')
			s++;
		for (; *s && *s != ' '; s++)
			if (n < sizeof(word) - 1)
				word[n++] = *s;
		word[n] = '\0';
		if (n)
			parse_word(word);
	}
}

static void unpack_initrd(const struct boot_info *bi)
{
	const struct boot_range *rd = &bi->initrd;
	int err;

	if (rd->start == rd->end) {
		pr_warn("no initramfs");
		return;
	}
	err = initramfs_unpack(phys_to_virt(rd->start), rd->end - rd->start);
	if (err)
		pr_err("initramfs: %s, unpacked as far as it goes",
		       err == -EINVAL ? "damaged archive" : "no memory for all of it");
	arch_free_initrd(bi);
}

/* Standard input, output and error of the first program. */
static void open_init_console(void)
{
	struct file *console;

	current->files = files_alloc();
	current->fs = fs_context_alloc();
	if (!current->files || !current->fs)
		panic("no memory for the first task's files");
	console = vfs_open(AT_FDCWD, "/dev/console", O_RDWR, 0);
	if (IS_ERR(console)) {
		pr_warn("cannot open /dev/console: error %ld", -PTR_ERR(console));
		return;
	}
	for (int fd = 0; fd < 3; fd++) {
		file_get(console);
		if (fd_install(console, fd, false) < 0)
			file_put(console);
	}
	file_put(console);
}

/* The first task's life before it becomes a program. */
static void init_thread(void *arg)
{
	static const char *const envp[] = { "HOME=/", "TERM=linux", NULL };
	const char *const argv[] = { init_path, NULL };
	int err;

	(void)arg;
	open_init_console();
	err = kernel_execve(init_path, argv, envp);
	if (err)
		panic("cannot run %s: error %d", init_path, -err);
	arch_enter_user();
}

/* From here on memory that is short is made, and not only missing. */
static void start_reclaim(void)
{
	workingset_init();
	if (IS_ERR(kernel_thread(kswapd_main, NULL, "kswapd0")))
		panic("no memory for kswapd");
	watermarks_update();
}

static void start_init(void)
{
	struct task *t = kernel_thread_create(init_thread, NULL, "init", true);

	if (IS_ERR(t))
		panic("no memory for the first task");
	sched_add(t);
}

void secondary_main(void)
{
	sched_init_idle(current);
	sched_start();
}

void kernel_main(const struct boot_info *bi)
{
	kernel_cmdline = bi->cmdline;
	console_early_init();
	parse_cmdline(kernel_cmdline);

	/* The machine, as far as memory needs it. */
	arch_cpu_init();
	arch_memory_init(bi);

	/* Memory: pages, objects, page-cache nodes, address spaces. */
	kmem_cache_init();
	xa_cache_init();
	mm_init();

	/* Tasks: this code becomes the first one. */
	sched_init();
	task_init();
	signal_init();
	futex_init();

	/* Interrupts and time. */
	arch_irq_init(bi);
	timers_init();

	/* Files: the root is a tmpfs filled from the initramfs; /dev and /proc are mounted on it. */
	vfs_init();
	tmpfs_init();
	vdso_init();
	unpack_initrd(bi);
	devfs_init();
	procfs_init();
	tty_init();

	/* Disks, if there are any, and who writes to them. */
	virtio_blk_init();
	flusher_init();
	khugepaged_init();
	kcompactd_init();
	rcu_init();

	smp_init(bi);

	pr_info("Memory: %lu KiB of %lu KiB available, kernel image %lu KiB",
		nr_free_pages() * (PAGE_SIZE / 1024), totalram_pages() * (PAGE_SIZE / 1024),
		arch_kernel_image_bytes() / 1024);
	start_reclaim();
	start_init();
	sched_start();
}
