/* SPDX-License-Identifier: MIT
 *
 * /proc/faultstat: how often each phase of a fault took place and what it cost, since boot, while it was on.
 */
#include <fs/procfs/internal.h>
#include <kern/string.h>
#include <kernel/trace/trace.h>
#include <uapi/errno.h>

static const char *const names[NR_FAULT_COSTS] = {
	[COST_LOOKUP] = "lookup", [COST_FOLIO] = "folio", [COST_INSTALL] = "install",
	[COST_ZERO] = "zero",	  [COST_FAULT] = "fault",
};

int faultstat_show(struct seq *s)
{
	unsigned long times, ticks;

	seq_printf(s, "# %s; write on or off | times, TSC ticks; zero is a part of folio\n",
		   READ_ONCE(faultstat_on) ? "on" : "off");
	for (unsigned int i = 0; i < NR_FAULT_COSTS; i++) {
		faultstat_get(i, &times, &ticks);
		seq_printf(s, "%s %lu %lu\n", names[i], times, ticks);
	}
	return 0;
}

int faultstat_write(const struct proc_node *node __maybe_unused, char *text)
{
	bool on;

	if (!strcmp(text, "on\n") || !strcmp(text, "on"))
		on = true;
	else if (!strcmp(text, "off\n") || !strcmp(text, "off"))
		on = false;
	else
		return -EINVAL;
	faultstat_set(on);
	return 0;
}
