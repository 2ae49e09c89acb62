// SPDX-License-Identifier: MIT
/*
 * Topology: an APIC id is package, core and thread, in this order, each in bits of its own. CPUID says
 * how many bits (Intel SDM vol. 3A, 9.9.4; AMD APM vol. 3, E.4.7). All CPUs are taken to be alike.
 */
#include <arch/cpu.h>
#include <arch/io.h>
#include <arch/topology.h>

#define LEAF_CACHES 4 /* EAX[31:26]: cores a package - 1 */
#define LEAF_TOPOLOGY 0xb
#define LEAF_SIZES 0x80000008 /* ECX[7:0]: cores a package - 1 */
#define HAS_THREADS (1u << 28)

/* Bits of an APIC id below the core's, below the package's. [I] after topology_init() */
static unsigned int core_shift, package_shift;

static unsigned int bits_for(unsigned int n)
{
	return n > 1 ? 32 - (unsigned int)__builtin_clz(n - 1) : 0;
}

/* The levels are listed from the inside: threads, then cores. */
static bool read_levels(u32 max_leaf)
{
	struct cpuid_regs threads, cores;

	if (max_leaf < LEAF_TOPOLOGY)
		return false;
	threads = cpuid(LEAF_TOPOLOGY, 0);
	cores = cpuid(LEAF_TOPOLOGY, 1);
	if (!threads.ebx)
		return false;
	core_shift = threads.eax & 31;
	package_shift = cores.ebx ? cores.eax & 31 : core_shift;
	return true;
}

/* Older CPUs count threads and cores of a package. */
static void read_counts(u32 max_leaf)
{
	struct cpuid_regs l1 = cpuid(1, 0);
	unsigned int threads = l1.edx & HAS_THREADS ? l1.ebx >> 16 & 0xff : 1;
	unsigned int cores = 1;

	if (max_leaf >= LEAF_CACHES)
		cores = (cpuid(LEAF_CACHES, 0).eax >> 26) + 1;
	if (cores == 1 && cpuid(0x80000000, 0).eax >= LEAF_SIZES)
		cores = (cpuid(LEAF_SIZES, 0).ecx & 0xff) + 1;
	package_shift = bits_for(max(threads, cores));
	core_shift = package_shift - bits_for(cores);
}

void topology_init(void)
{
	u32 max_leaf = cpuid(0, 0).eax;

	if (!read_levels(max_leaf))
		read_counts(max_leaf);
}

unsigned int topology_package_id(unsigned int cpu)
{
	return cpus[cpu].apic_id >> package_shift;
}

unsigned int topology_core_id(unsigned int cpu)
{
	unsigned int in_package = cpus[cpu].apic_id & ((1u << package_shift) - 1);

	return in_package >> core_shift;
}

/* Those whose APIC ids agree in all bits from shift on. */
static u64 siblings(unsigned int cpu, unsigned int shift)
{
	u64 set = 0;

	for (u64 left = __atomic_load_n(&cpus_online, __ATOMIC_ACQUIRE); left; left &= left - 1) {
		unsigned int i = (unsigned int)__builtin_ctzll(left);

		if (cpus[i].apic_id >> shift == cpus[cpu].apic_id >> shift)
			set |= 1ULL << i;
	}
	return set;
}

u64 topology_package_cpus(unsigned int cpu)
{
	return siblings(cpu, package_shift);
}

u64 topology_core_cpus(unsigned int cpu)
{
	return siblings(cpu, core_shift);
}
