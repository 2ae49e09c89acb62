/* SPDX-License-Identifier: MIT
 *
 * Capabilities of the Linux ABI.
 */
#ifndef UAPI_CAPABILITY_H
#define UAPI_CAPABILITY_H

#include <kern/types.h>

#define CAP_CHOWN 0
#define CAP_DAC_OVERRIDE 1
#define CAP_DAC_READ_SEARCH 2
#define CAP_FOWNER 3
#define CAP_FSETID 4
#define CAP_KILL 5
#define CAP_SETGID 6
#define CAP_SETUID 7
#define CAP_SETPCAP 8
#define CAP_LINUX_IMMUTABLE 9
#define CAP_IPC_LOCK 14
#define CAP_IPC_OWNER 15
#define CAP_SYS_RAWIO 17
#define CAP_SYS_CHROOT 18
#define CAP_SYS_PTRACE 19
#define CAP_SYS_PACCT 20
#define CAP_SYS_ADMIN 21
#define CAP_SYS_BOOT 22
#define CAP_SYS_NICE 23
#define CAP_SYS_RESOURCE 24
#define CAP_SYS_TIME 25
#define CAP_SYS_TTY_CONFIG 26
#define CAP_MKNOD 27
#define CAP_SETFCAP 31
#define CAP_SYSLOG 34
#define CAP_LAST_CAP 40

/* The file-related ones, which follow fsuid. */
#define CAP_FS_SET                                                                                 \
	((1ULL << CAP_CHOWN) | (1ULL << CAP_DAC_OVERRIDE) | (1ULL << CAP_DAC_READ_SEARCH) |        \
	 (1ULL << CAP_FOWNER) | (1ULL << CAP_FSETID) | (1ULL << CAP_LINUX_IMMUTABLE) |             \
	 (1ULL << CAP_MKNOD) | (1ULL << 32 /* MAC_OVERRIDE */))

#define _LINUX_CAPABILITY_VERSION_1 0x19980330
#define _LINUX_CAPABILITY_VERSION_2 0x20071026
#define _LINUX_CAPABILITY_VERSION_3 0x20080522

struct cap_user_header {
	u32 version;
	int pid;
};

struct cap_user_data {
	u32 effective;
	u32 permitted;
	u32 inheritable;
};

#define SECBIT_NOROOT (1U << 0)
#define SECBIT_NOROOT_LOCKED (1U << 1)
#define SECBIT_NO_SETUID_FIXUP (1U << 2)
#define SECBIT_NO_SETUID_FIXUP_LOCKED (1U << 3)
#define SECBIT_KEEP_CAPS (1U << 4)
#define SECBIT_KEEP_CAPS_LOCKED (1U << 5)
#define SECBIT_NO_CAP_AMBIENT_RAISE (1U << 6)
#define SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED (1U << 7)
#define SECURE_ALL_BITS 0x55U
#define SECURE_ALL_LOCKS (SECURE_ALL_BITS << 1)

#endif
