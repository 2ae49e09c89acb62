/* SPDX-License-Identifier: MIT
 *
 * Sockets of the Linux x86_64 ABI, as far as socketpair() goes.
 */
#ifndef UAPI_SOCKET_H
#define UAPI_SOCKET_H

#define AF_UNIX 1
#define AF_MAX 46

#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define SOCK_SEQPACKET 5
#define SOCK_TYPE_MASK 0xf
#define SOCK_NONBLOCK 04000
#define SOCK_CLOEXEC 02000000

#define SHUT_RD 0
#define SHUT_WR 1
#define SHUT_RDWR 2

#define MSG_DONTWAIT 0x40
#define MSG_EOR 0x80
#define MSG_NOSIGNAL 0x4000

#endif
