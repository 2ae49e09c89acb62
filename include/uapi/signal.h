/* SPDX-License-Identifier: MIT
 *
 * Signals of the Linux x86_64 ABI: numbers, codes and structures as programs see them.
 */
#ifndef UAPI_SIGNAL_H
#define UAPI_SIGNAL_H

#define NSIG 64

#define SIGHUP 1
#define SIGINT 2
#define SIGQUIT 3
#define SIGILL 4
#define SIGTRAP 5
#define SIGABRT 6
#define SIGIOT 6
#define SIGBUS 7
#define SIGFPE 8
#define SIGKILL 9
#define SIGUSR1 10
#define SIGSEGV 11
#define SIGUSR2 12
#define SIGPIPE 13
#define SIGALRM 14
#define SIGTERM 15
#define SIGSTKFLT 16
#define SIGCHLD 17
#define SIGCONT 18
#define SIGSTOP 19
#define SIGTSTP 20
#define SIGTTIN 21
#define SIGTTOU 22
#define SIGURG 23
#define SIGXCPU 24
#define SIGXFSZ 25
#define SIGVTALRM 26
#define SIGPROF 27
#define SIGWINCH 28
#define SIGIO 29
#define SIGPOLL SIGIO
#define SIGPWR 30
#define SIGSYS 31
#define SIGRTMIN 32
#define SIGRTMAX NSIG

/* k_sigaction.handler */
#define SIG_DFL 0UL
#define SIG_IGN 1UL

#define SA_NOCLDSTOP 0x00000001UL
#define SA_NOCLDWAIT 0x00000002UL
#define SA_SIGINFO 0x00000004UL
#define SA_UNSUPPORTED 0x00000400UL
#define SA_EXPOSE_TAGBITS 0x00000800UL
#define SA_RESTORER 0x04000000UL
#define SA_ONSTACK 0x08000000UL
#define SA_RESTART 0x10000000UL
#define SA_NODEFER 0x40000000UL
#define SA_RESETHAND 0x80000000UL

/* rt_sigprocmask */
#define SIG_BLOCK 0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

/* sigaltstack.ss_flags */
#define SS_ONSTACK 1
#define SS_DISABLE 2
#define SS_AUTODISARM (1U << 31)
#define MINSIGSTKSZ 2048

/* siginfo.si_code: above 0 from the kernel, 0 and below from programs. */
#define SI_USER 0
#define SI_KERNEL 0x80
#define SI_QUEUE (-1)
#define SI_TIMER (-2)
#define SI_MESGQ (-3)
#define SI_ASYNCIO (-4)
#define SI_SIGIO (-5)
#define SI_TKILL (-6)

#define ILL_ILLOPC 1
#define ILL_ILLOPN 2
#define ILL_ILLADR 3
#define ILL_ILLTRP 4
#define ILL_PRVOPC 5
#define ILL_PRVREG 6
#define ILL_COPROC 7
#define ILL_BADSTK 8

#define FPE_INTDIV 1
#define FPE_INTOVF 2
#define FPE_FLTDIV 3
#define FPE_FLTOVF 4
#define FPE_FLTUND 5
#define FPE_FLTRES 6
#define FPE_FLTINV 7
#define FPE_FLTSUB 8
#define FPE_FLTUNK 14

#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define SEGV_BNDERR 3
#define SEGV_PKUERR 4

#define BUS_ADRALN 1
#define BUS_ADRERR 2
#define BUS_OBJERR 3
#define BUS_MCEERR_AR 4
#define BUS_MCEERR_AO 5

#define TRAP_BRKPT 1
#define TRAP_TRACE 2
#define TRAP_BRANCH 3
#define TRAP_HWBKPT 4

#define CLD_EXITED 1
#define CLD_KILLED 2
#define CLD_DUMPED 3
#define CLD_TRAPPED 4
#define CLD_STOPPED 5
#define CLD_CONTINUED 6

/* struct sigevent.sigev_notify */
#define SIGEV_SIGNAL 0
#define SIGEV_NONE 1
#define SIGEV_THREAD 2
#define SIGEV_THREAD_ID 4

/* Handlers and restorers are user addresses; bit n-1 of a mask is signal n. */
struct k_sigaction {
	unsigned long handler;
	unsigned long flags;
	unsigned long restorer;
	unsigned long mask;
};

struct sigaltstack {
	unsigned long ss_sp;
	unsigned int ss_flags;
	unsigned int ss_pad;
	unsigned long ss_size;
};

union sigval {
	int sival_int;
	unsigned long sival_ptr;
};

struct siginfo {
	int si_signo;
	int si_errno;
	int si_code;
	int si_pad;
	union {
		unsigned char bytes[112];
		struct { /* kill, sigqueue, SIGCHLD: the sender */
			int si_pid;
			unsigned int si_uid;
			union {
				union sigval si_value; /* sigqueue */
				struct {	       /* SIGCHLD */
					int si_status;
					long si_utime; /* USER_HZ ticks */
					long si_stime;
				};
			};
		};
		struct { /* POSIX timers */
			int si_tid;
			int si_overrun;
			union sigval si_timer_value;
		};
		struct { /* SIGILL, SIGFPE, SIGSEGV, SIGBUS, SIGTRAP */
			unsigned long si_addr;
			short si_addr_lsb;
		};
		struct { /* SIGIO */
			long si_band;
			int si_fd;
		};
		struct { /* SIGSYS */
			unsigned long si_call_addr;
			int si_syscall;
			unsigned int si_arch;
		};
	};
};

struct sigevent {
	union sigval sigev_value;
	int sigev_signo;
	int sigev_notify;
	union {
		int sigev_tid;
		unsigned char sigev_pad[48];
	};
};

_Static_assert(sizeof(struct siginfo) == 128, "siginfo is 128 bytes");
_Static_assert(sizeof(struct sigaltstack) == 24, "stack_t is 24 bytes");
_Static_assert(sizeof(struct sigevent) == 64, "sigevent is 64 bytes");
_Static_assert(__builtin_offsetof(struct siginfo, si_utime) == 32, "si_utime follows si_status");

#endif
