/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "control.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/reboot.h>
#include <termios.h>
#include <unistd.h>

#include "console.h"
#include "util.h"

static int line = -1;

void control_open(void)
{
	line = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (line >= 0)
		make_raw(line);
}

int control_fd(void)
{
	return line;
}

void report(const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (line >= 0)
		write_all(line, text, n);
}

void report_data(char letter, const char *data, size_t n)
{
	report("%c %zu\n", letter, n);
	if (line >= 0)
		write_all(line, data, n);
}

void power_off(int status)
{
	report("exit %d\n", status);
	if (line >= 0)
		tcdrain(line);
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}
