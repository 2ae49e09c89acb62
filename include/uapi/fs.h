/* SPDX-License-Identifier: MIT
 *
 * ioctl() requests of block devices, Linux x86_64 ABI.
 */
#ifndef UAPI_FS_H
#define UAPI_FS_H

#define BLKROSET 0x125d
#define BLKROGET 0x125e
#define BLKGETSIZE 0x1260 /* unsigned long: sectors of 512 bytes */
#define BLKFLSBUF 0x1261
#define BLKRAGET 0x1263
#define BLKSSZGET 0x1268	 /* int: logical block size */
#define BLKBSZGET 0x80081270U	 /* int, whatever the number says */
#define BLKGETSIZE64 0x80081272U /* u64: bytes */
#define BLKIOMIN 0x1278
#define BLKIOOPT 0x1279
#define BLKALIGNOFF 0x127a
#define BLKPBSZGET 0x127b

#endif
