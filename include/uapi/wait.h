/* SPDX-License-Identifier: MIT
 *
 * wait4() and waitid(): constants of the Linux x86_64 ABI.
 */
#ifndef UAPI_WAIT_H
#define UAPI_WAIT_H

#define WNOHANG 0x00000001
#define WUNTRACED 0x00000002
#define WSTOPPED WUNTRACED
#define WEXITED 0x00000004
#define WCONTINUED 0x00000008
#define WNOWAIT 0x01000000
#define __WNOTHREAD 0x20000000
#define __WALL 0x40000000
#define __WCLONE 0x80000000

#define P_ALL 0
#define P_PID 1
#define P_PGID 2
#define P_PIDFD 3

/* A wait status: the exit code, or the signal that killed, stopped or (0xffff) continued. */
#define WSTATUS_EXITED(code) (((code)&0xff) << 8)
#define WSTATUS_STOPPED(sig) (((sig) << 8) | 0x7f)
#define WSTATUS_CONTINUED 0xffff
#define WSTATUS_CORE 0x80

#endif
