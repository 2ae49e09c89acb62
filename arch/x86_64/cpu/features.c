// SPDX-License-Identifier: MIT
/*
 * What the CPU has (CPUID), and the control bits that follow from it.
 */
#include <arch/cpufeature.h>
#include <arch/io.h>
#include <kern/assert.h>
#include <kern/string.h>

struct cpu_features cpu_features;

/* Addresses of STAC and CLAC instructions, from the assembly files. */
extern const unsigned long entry_smap_sites[], entry_smap_sites_end[];
extern const unsigned long uaccess_smap_sites[], uaccess_smap_sites_end[];
extern const unsigned long fpu_smap_sites[], fpu_smap_sites_end[];

#define CPUID1_ECX_XSAVE (1u << 26)
#define CPUID7_EBX_FSGSBASE (1u << 0)
#define CPUID7_EBX_SMEP (1u << 7)
#define CPUID7_EBX_SMAP (1u << 20)
#define CPUID7_ECX_UMIP (1u << 2)
#define CPUID13_EAX_XSAVEOPT (1u << 0)
#define CPUID81_EDX_SYSCALL (1u << 11)
#define CPUID81_EDX_NX (1u << 20)
#define CPUID81_EDX_PDPE1GB (1u << 26)

static void patch_smap_sites(const unsigned long *p, const unsigned long *end)
{
	static const u8 nop3[] = { 0x0f, 0x1f, 0x00 };

	for (; p < end; p++)
		memcpy((void *)*p, nop3, sizeof(nop3));
}

void cpu_features_init(void)
{
	struct cpu_features *f = &cpu_features;
	u32 max_leaf = cpuid(0, 0).eax;
	struct cpuid_regs l1 = cpuid(1, 0);
	struct cpuid_regs l81 = cpuid(0x80000001, 0);

	if (!(l81.edx & CPUID81_EDX_NX) || !(l81.edx & CPUID81_EDX_SYSCALL))
		panic("this CPU lacks no-execute pages or SYSCALL");
	f->hwcap = l1.edx;
	f->xsave = (l1.ecx & CPUID1_ECX_XSAVE) && max_leaf >= 13;
	f->xsaveopt = f->xsave && (cpuid(13, 1).eax & CPUID13_EAX_XSAVEOPT);
	f->pdpe1gb = l81.edx & CPUID81_EDX_PDPE1GB;
	if (max_leaf >= 7) {
		struct cpuid_regs l7 = cpuid(7, 0);

		f->smep = l7.ebx & CPUID7_EBX_SMEP;
		f->smap = l7.ebx & CPUID7_EBX_SMAP;
		f->umip = l7.ecx & CPUID7_ECX_UMIP;
		f->fsgsbase = l7.ebx & CPUID7_EBX_FSGSBASE;
	}
	if (!f->smap) {
		patch_smap_sites(entry_smap_sites, entry_smap_sites_end);
		patch_smap_sites(uaccess_smap_sites, uaccess_smap_sites_end);
		patch_smap_sites(fpu_smap_sites, fpu_smap_sites_end);
	}
}

void cpu_control_init(void)
{
	const struct cpu_features *f = &cpu_features;
	unsigned long cr4 = read_cr4() | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	if (f->xsave)
		cr4 |= CR4_OSXSAVE;
	if (f->smep)
		cr4 |= CR4_SMEP;
	if (f->smap)
		cr4 |= CR4_SMAP;
	if (f->umip)
		cr4 |= CR4_UMIP;
	if (f->fsgsbase)
		cr4 |= CR4_FSGSBASE;
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE | EFER_SCE);
	write_cr4(cr4);
	write_cr0((read_cr0() & ~(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE | CR0_WP | CR0_AM);
}
