/* SPDX-License-Identifier: MIT
 *
 * uname() and sysinfo(): structures of the Linux x86_64 ABI.
 */
#ifndef UAPI_UTSNAME_H
#define UAPI_UTSNAME_H

#include <kern/types.h>

#define __NEW_UTS_LEN 64

struct new_utsname {
	char sysname[__NEW_UTS_LEN + 1];
	char nodename[__NEW_UTS_LEN + 1];
	char release[__NEW_UTS_LEN + 1];
	char version[__NEW_UTS_LEN + 1];
	char machine[__NEW_UTS_LEN + 1];
	char domainname[__NEW_UTS_LEN + 1];
};

struct sysinfo {
	s64 uptime;
	u64 loads[3];
	u64 totalram;
	u64 freeram;
	u64 sharedram;
	u64 bufferram;
	u64 totalswap;
	u64 freeswap;
	u16 procs;
	u16 pad;
	u64 totalhigh;
	u64 freehigh;
	u32 mem_unit;
};

_Static_assert(sizeof(struct sysinfo) == 112, "struct sysinfo is 112 bytes");

#endif
