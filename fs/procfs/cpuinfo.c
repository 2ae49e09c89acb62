/* SPDX-License-Identifier: MIT
 *
 * /proc/cpuinfo: what CPUID says, under Linux's names (Intel SDM vol. 2A, CPUID; Linux's cpufeatures.h).
 */
#include <arch/apic.h>
#include <arch/io.h>
#include <arch/topology.h>
#include <fs/procfs/internal.h>
#include <kern/string.h>

enum { EAX, EBX, ECX, EDX };

struct feature_word {
	u32 leaf, subleaf;
	unsigned int reg;
	const char *names[32]; /* NULL: not shown */
};

/* In the order in which Linux prints them. */
static const struct feature_word feature_words[] = {
	{ 1, 0, EDX, { "fpu",  "vme",	"de",	"pse",	   "tsc",  "msr", "pae",  "mce",
		       "cx8",  "apic",	NULL,	"sep",	   "mtrr", "pge", "mca",  "cmov",
		       "pat",  "pse36", "pn",	"clflush", NULL,   "dts", "acpi", "mmx",
		       "fxsr", "sse",	"sse2", "ss",	   "ht",   "tm",  "ia64", "pbe" } },
	{ 0x80000001,
	  0,
	  EDX,
	  { [11] = "syscall",
	    [20] = "nx",
	    [22] = "mmxext",
	    [25] = "fxsr_opt",
	    [26] = "pdpe1gb",
	    [27] = "rdtscp",
	    [29] = "lm",
	    [30] = "3dnowext",
	    [31] = "3dnow" } },
	{ 1, 0, ECX, { "pni",	 "pclmulqdq", "dtes64", "monitor", "ds_cpl",
		       "vmx",	 "smx",	      "est",	"tm2",	   "ssse3",
		       "cid",	 "sdbg",      "fma",	"cx16",	   "xtpr",
		       "pdcm",	 NULL,	      "pcid",	"dca",	   "sse4_1",
		       "sse4_2", "x2apic",    "movbe",	"popcnt",  "tsc_deadline_timer",
		       "aes",	 "xsave",     NULL,	"avx",	   "f16c",
		       "rdrand", "hypervisor" } },
	{ 0x80000001,
	  0,
	  ECX,
	  { "lahf_lm", "cmp_legacy", "svm", "extapic", "cr8_legacy", "abm", "sse4a", "misalignsse",
	    "3dnowprefetch", "osvw", "ibs", "xop", "skinit",
	    "wdt", [15] = "lwp", [16] = "fma4", [17] = "tce", [21] = "tbm", [22] = "topoext" } },
	{ 7, 0, EBX, { "fsgsbase", "tsc_adjust", NULL,	     "bmi1",	   "hle",      "avx2",
		       NULL,	   "smep",	 "bmi2",     "erms",	   "invpcid",  "rtm",
		       "cqm",	   NULL,	 "mpx",	     "rdt_a",	   "avx512f",  "avx512dq",
		       "rdseed",   "adx",	 "smap",     "avx512ifma", NULL,       "clflushopt",
		       "clwb",	   "intel_pt",	 "avx512pf", "avx512er",   "avx512cd", "sha_ni",
		       "avx512bw", "avx512vl" } },
	{ 13, 1, EAX, { "xsaveopt", "xsavec", "xgetbv1", "xsaves" } },
	{ 7,
	  0,
	  ECX,
	  { [1] = "avx512vbmi",
	    [2] = "umip",
	    [3] = "pku",
	    [5] = "waitpkg",
	    [6] = "avx512_vbmi2",
	    [8] = "gfni",
	    [9] = "vaes",
	    [10] = "vpclmulqdq",
	    [11] = "avx512_vnni",
	    [12] = "avx512_bitalg",
	    [14] = "avx512_vpopcntdq",
	    [16] = "la57",
	    [22] = "rdpid" } },
};

static u32 leaf_reg(u32 leaf, u32 subleaf, unsigned int reg)
{
	u32 top = cpuid(leaf & 0x80000000, 0).eax;
	struct cpuid_regs r;

	if (leaf > top)
		return 0;
	r = cpuid(leaf, subleaf);
	return reg == EAX ? r.eax : reg == EBX ? r.ebx : reg == ECX ? r.ecx : r.edx;
}

static void put_flags(struct seq *s)
{
	seq_puts(s, "flags\t\t:");
	for (size_t w = 0; w < ARRAY_SIZE(feature_words); w++) {
		const struct feature_word *f = &feature_words[w];
		u32 bits = leaf_reg(f->leaf, f->subleaf, f->reg);

		for (unsigned int i = 0; i < 32; i++)
			if ((bits >> i & 1) && f->names[i])
				seq_printf(s, " %s", f->names[i]);
	}
	seq_putc(s, '\n');
}

/* The 48 bytes of leaves 80000002 to 80000004, without the blanks around them. */
static void put_model_name(struct seq *s)
{
	u32 words[13] = { 0 };
	char *name = (char *)words;
	size_t len;

	for (u32 i = 0; i < 3; i++)
		for (unsigned int reg = EAX; reg <= EDX; reg++)
			words[4 * i + reg] = leaf_reg(0x80000002 + i, 0, reg);
	while (*name == ' ')
		name++;
	len = strlen(name);
	while (len && name[len - 1] == ' ')
		name[--len] = 0;
	seq_printf(s, "model name\t: %s\n", len ? name : "unknown");
}

static void put_identity(struct seq *s)
{
	struct cpuid_regs r = cpuid(0, 0);
	u32 vendor[4] = { r.ebx, r.edx, r.ecx, 0 };
	u32 sig = cpuid(1, 0).eax;
	u32 family = sig >> 8 & 15, model = sig >> 4 & 15;

	if (family == 15)
		family += sig >> 20 & 0xff;
	if (family >= 6)
		model += (sig >> 16 & 15) << 4;
	seq_printf(s, "vendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\n", (const char *)vendor,
		   family, model);
	put_model_name(s);
	seq_printf(s, "stepping\t: %u\n", sig & 15);
}

/* Threads and cores of the package that are online. */
static void put_topology(struct seq *s, unsigned int cpu)
{
	u64 package = topology_package_cpus(cpu), left;
	unsigned int threads = 0, cores = 0;

	for (left = package; left; left &= left - 1)
		threads++;
	for (left = package; left; left &= ~topology_core_cpus((unsigned int)__builtin_ctzll(left)))
		cores++;
	seq_printf(s, "physical id\t: %u\nsiblings\t: %u\n", topology_package_id(cpu), threads);
	seq_printf(s, "core id\t\t: %u\ncpu cores\t: %u\n", topology_core_id(cpu), cores);
	seq_printf(s, "apicid\t\t: %u\ninitial apicid\t: %u\n", cpus[cpu].apic_id,
		   cpus[cpu].apic_id);
}

/* All CPUs are taken to be like the one this runs on. */
static void put_cpu(struct seq *s, unsigned int cpu)
{
	unsigned long khz = clock_tsc_khz();
	u32 sizes = leaf_reg(0x80000008, 0, EAX);
	u32 line = (cpuid(1, 0).ebx >> 8 & 0xff) * 8;

	seq_printf(s, "processor\t: %u\n", cpu);
	put_identity(s);
	seq_printf(s, "cpu MHz\t\t: %lu.%03lu\n", khz / 1000, khz % 1000);
	seq_printf(s, "cache size\t: %u KB\n", leaf_reg(0x80000006, 0, ECX) >> 16);
	put_topology(s, cpu);
	seq_printf(s, "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\n",
		   cpuid(0, 0).eax);
	put_flags(s);
	seq_puts(s, "bugs\t\t:\n");
	seq_printf(s, "bogomips\t: %lu.%02lu\n", khz / 500, khz / 5 % 100);
	seq_printf(s, "clflush size\t: %u\ncache_alignment\t: %u\n", line, line);
	seq_printf(s, "address sizes\t: %u bits physical, %u bits virtual\npower management:\n\n",
		   sizes & 0xff, sizes >> 8 & 0xff);
}

static int cpuinfo_next(struct seq *s)
{
	while (s->cursor < MAX_CPUS && !cpu_is_online((unsigned int)s->cursor))
		s->cursor++;
	if (s->cursor >= MAX_CPUS)
		return 0;
	put_cpu(s, (unsigned int)s->cursor++);
	return 1;
}

const struct seq_source cpuinfo_source = { .next = cpuinfo_next, .usual = 2048 };
