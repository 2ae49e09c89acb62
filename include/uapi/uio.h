/* SPDX-License-Identifier: MIT
 *
 * Vectored I/O of the Linux x86_64 ABI.
 */
#ifndef UAPI_UIO_H
#define UAPI_UIO_H

#include <kern/types.h>

#define UIO_FASTIOV 8
#define UIO_MAXIOV 1024

struct iovec {
	void __user *iov_base;
	size_t iov_len;
};

#endif
