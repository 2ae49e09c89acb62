/* SPDX-License-Identifier: MIT
 *
 * Where the knobs of knobs.def are kept, and how a name and a text become a value.
 */
#include <kern/err.h>
#include <kern/failpoint.h>
#include <kern/knobs.h>
#include <kern/printf.h>
#include <kern/string.h>

#define KNOB_RANGE(id, name, def, lo, hi, text) unsigned long knob_##id = (def);
#define KNOB_CHOICE(id, name, def, choices, text) unsigned long knob_##id = (def);
#include <kern/knobs.def>
#undef KNOB_RANGE
#undef KNOB_CHOICE

struct knob {
	const char *name;
	unsigned long *value;
	unsigned long lo, hi; /* of a range */
	const char *choices;  /* "a|b|c"; NULL for a range */
	const char *text;
};

static const struct knob knobs[] = {
#define KNOB_RANGE(id, name, def, lo, hi, text) { name, &knob_##id, lo, hi, NULL, text },
#define KNOB_CHOICE(id, name, def, choices, text) { name, &knob_##id, 0, 0, choices, text },
#include <kern/knobs.def>
#undef KNOB_RANGE
#undef KNOB_CHOICE
};

/* The nth alternative of "a|b|c" and its length; NULL when there are fewer. */
static const char *choice_text(const char *choices, unsigned long nth, size_t *len)
{
	const char *end;

	for (; nth; nth--) {
		choices = strchr(choices, '|');
		if (!choices)
			return NULL;
		choices++;
	}
	end = strchr(choices, '|');
	*len = end ? (size_t)(end - choices) : strlen(choices);
	return choices;
}

static int choice_parse(const char *choices, const char *value, unsigned long *out)
{
	const char *c;
	size_t len;

	for (unsigned long n = 0; (c = choice_text(choices, n, &len)) != NULL; n++) {
		if (strlen(value) == len && strncmp(value, c, len) == 0) {
			*out = n;
			return 0;
		}
	}
	return -EINVAL;
}

int knob_set(const char *name, const char *value)
{
	/* Not a value that lasts, so not in the list: fail=SITE:N arms one failure. */
	if (strcmp(name, "fail") == 0)
		return fail_parse(value);

	for (const struct knob *k = knobs; k < knobs + ARRAY_SIZE(knobs); k++) {
		unsigned long v;
		int err;

		if (strcmp(name, k->name) != 0)
			continue;
		err = k->choices ? choice_parse(k->choices, value, &v) : kstrtoul(value, 0, &v);
		if (err || (!k->choices && (v < k->lo || v > k->hi)))
			return -EINVAL;
		WRITE_ONCE(*k->value, v);
		return 0;
	}
	return -ENOENT;
}

void knob_for_each(void (*fn)(void *arg, const char *name, const char *current, const char *text),
		   void *arg)
{
	for (const struct knob *k = knobs; k < knobs + ARRAY_SIZE(knobs); k++) {
		unsigned long v = READ_ONCE(*k->value);
		char current[64];
		const char *c;
		size_t len;

		if (k->choices && (c = choice_text(k->choices, v, &len)))
			scnprintf(current, sizeof(current), "%.*s", (int)len, c);
		else
			scnprintf(current, sizeof(current), "%lu", v);
		fn(arg, k->name, current, k->text);
	}
}
