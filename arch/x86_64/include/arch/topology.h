/* SPDX-License-Identifier: MIT
 *
 * Which CPUs are threads of one core, and cores of one package. Sets are of CPUs that are online, bit n: CPU n.
 */
#ifndef ARCH_TOPOLOGY_H
#define ARCH_TOPOLOGY_H

#include <kern/types.h>

/* How an APIC id is composed, from CPUID: part of arch_cpu_init(). */
void topology_init(void);

unsigned int topology_package_id(unsigned int cpu);
/* Within its package. */
unsigned int topology_core_id(unsigned int cpu);
/* Its package's CPUs, its core's CPUs: itself among them. */
u64 topology_package_cpus(unsigned int cpu);
u64 topology_core_cpus(unsigned int cpu);

#endif
