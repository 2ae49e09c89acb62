/* SPDX-License-Identifier: MIT
 *
 * The terminal attributes of the Linux x86_64 ABI, as the kernel sees them (libc's struct is larger).
 */
#ifndef UAPI_TERMIOS_H
#define UAPI_TERMIOS_H

#include <kern/types.h>

#define NCCS 19

/* What TCGETS and TCSETS copy. */
struct ktermios {
	u32 c_iflag;
	u32 c_oflag;
	u32 c_cflag;
	u32 c_lflag;
	u8 c_line;
	u8 c_cc[NCCS];
};

/* TCGETS2 and TCSETS2 add the speeds as numbers. */
struct ktermios2 {
	struct ktermios t;
	u32 c_ispeed;
	u32 c_ospeed;
};

_Static_assert(sizeof(struct ktermios) == 36, "struct termios of the system call");
_Static_assert(sizeof(struct ktermios2) == 44, "struct termios2 of the system call");

/* c_cc */
#define VINTR 0
#define VQUIT 1
#define VERASE 2
#define VKILL 3
#define VEOF 4
#define VTIME 5
#define VMIN 6
#define VSWTC 7
#define VSTART 8
#define VSTOP 9
#define VSUSP 10
#define VEOL 11
#define VREPRINT 12
#define VDISCARD 13
#define VWERASE 14
#define VLNEXT 15
#define VEOL2 16

/* A control character with this value is switched off. */
#define _POSIX_VDISABLE 0

/* c_iflag */
#define IGNBRK 0x0001
#define BRKINT 0x0002
#define IGNPAR 0x0004
#define PARMRK 0x0008
#define INPCK 0x0010
#define ISTRIP 0x0020
#define INLCR 0x0040
#define IGNCR 0x0080
#define ICRNL 0x0100
#define IUCLC 0x0200
#define IXON 0x0400
#define IXANY 0x0800
#define IXOFF 0x1000
#define IMAXBEL 0x2000
#define IUTF8 0x4000

/* c_oflag */
#define OPOST 0x0001
#define OLCUC 0x0002
#define ONLCR 0x0004
#define OCRNL 0x0008
#define ONOCR 0x0010
#define ONLRET 0x0020
#define OFILL 0x0040
#define OFDEL 0x0080
#define TABDLY 0x1800
#define XTABS 0x1800

/* c_cflag */
#define CBAUD 0x100f
#define B0 0x0000
#define B9600 0x000d
#define B38400 0x000f
#define B57600 0x1001
#define B115200 0x1002
#define BOTHER 0x1000
#define CBAUDEX 0x1000
#define CSIZE 0x0030
#define CS5 0x0000
#define CS6 0x0010
#define CS7 0x0020
#define CS8 0x0030
#define CSTOPB 0x0040
#define CREAD 0x0080
#define PARENB 0x0100
#define PARODD 0x0200
#define HUPCL 0x0400
#define CLOCAL 0x0800
#define CRTSCTS 0x80000000U

/* c_lflag */
#define ISIG 0x0001
#define ICANON 0x0002
#define XCASE 0x0004
#define ECHO 0x0008
#define ECHOE 0x0010
#define ECHOK 0x0020
#define ECHONL 0x0040
#define NOFLSH 0x0080
#define TOSTOP 0x0100
#define ECHOCTL 0x0200
#define ECHOPRT 0x0400
#define ECHOKE 0x0800
#define FLUSHO 0x1000
#define PENDIN 0x4000
#define IEXTEN 0x8000
#define EXTPROC 0x10000

/* TCFLSH */
#define TCIFLUSH 0
#define TCOFLUSH 1
#define TCIOFLUSH 2
/* TCXONC */
#define TCOOFF 0
#define TCOON 1
#define TCIOFF 2
#define TCION 3

#endif
