/* SPDX-License-Identifier: MIT
 *
 * Formatted text into a buffer. One conversion at a time: its specification is read into struct
 * spec, its characters are made, and emit_field() pads them.
 */
#include <kern/printf.h>
#include <kern/string.h>

struct out {
	char *buf;
	size_t size; /* of buf */
	size_t len;  /* the text so far, as if buf were endless */
};

struct spec {
	bool left, plus, space, alt, zero;
	int width;
	int precision;	    /* -1: none given */
	unsigned int bytes; /* of an integer argument */
	char conv;
};

static inline void put(struct out *o, char c)
{
	if (o->len < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void put_n(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

/* prefix (sign or 0x), then zeros, then n characters, padded to the width. */
static void emit_field(struct out *o, const struct spec *sp, const char *prefix, int zeros,
		       const char *text, int n)
{
	int used = (int)strlen(prefix) + zeros + n;

	if (!sp->left)
		put_n(o, ' ', sp->width - used);
	for (; *prefix; prefix++)
		put(o, *prefix);
	put_n(o, '0', zeros);
	for (int i = 0; i < n; i++)
		put(o, text[i]);
	if (sp->left)
		put_n(o, ' ', sp->width - used);
}

static void emit_number(struct out *o, const struct spec *sp, unsigned long value,
			const char *prefix)
{
	const char *digits = sp->conv == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	unsigned int base = sp->conv == 'o'				  ? 8
			    : (sp->conv | 0x20) == 'x' || sp->conv == 'p' ? 16
									  : 10;
	char text[24];
	int n = 0, zeros = 0;

	for (unsigned long v = value; v; v /= base)
		text[sizeof(text) - 1 - (size_t)n++] = digits[v % base];
	if (sp->precision >= 0)
		zeros = max(0, sp->precision - n);
	else if (n == 0)
		zeros = 1;
	if (sp->alt && sp->conv == 'o' && zeros == 0)
		zeros = 1;
	if (sp->zero && !sp->left && sp->precision < 0)
		zeros = max(zeros, sp->width - (int)strlen(prefix) - n);
	emit_field(o, sp, prefix, zeros, text + sizeof(text) - n, n);
}

static void emit_signed(struct out *o, const struct spec *sp, long value)
{
	const char *sign = value < 0 ? "-" : sp->plus ? "+" : sp->space ? " " : "";

	emit_number(o, sp, value < 0 ? -(unsigned long)value : (unsigned long)value, sign);
}

static void emit_unsigned(struct out *o, const struct spec *sp, unsigned long value)
{
	const char *prefix = "";

	if (sp->conv == 'p' || (sp->alt && value && sp->conv == 'x'))
		prefix = "0x";
	else if (sp->alt && value && sp->conv == 'X')
		prefix = "0X";
	emit_number(o, sp, value, prefix);
}

static void emit_string(struct out *o, const struct spec *sp, const char *s)
{
	size_t max = sp->precision >= 0 ? (size_t)sp->precision : ~0UL;

	if (!s)
		s = "(null)";
	emit_field(o, sp, "", 0, s, (int)strnlen(s, max));
}

static int read_int(const char **fmt)
{
	int n = 0;

	for (; **fmt >= '0' && **fmt <= '9'; (*fmt)++)
		n = n < 10000 ? n * 10 + (**fmt - '0') : n;
	return n;
}

static const char *read_flags(const char *fmt, struct spec *sp)
{
	for (;; fmt++) {
		switch (*fmt) {
		case '-':
			sp->left = true;
			break;
		case '+':
			sp->plus = true;
			break;
		case ' ':
			sp->space = true;
			break;
		case '#':
			sp->alt = true;
			break;
		case '0':
			sp->zero = true;
			break;
		default:
			return fmt;
		}
	}
}

static const char *read_length(const char *fmt, struct spec *sp)
{
	sp->bytes = 4;
	switch (*fmt) {
	case 'h':
		sp->bytes = fmt[1] == 'h' ? 1 : 2;
		return fmt + (fmt[1] == 'h' ? 2 : 1);
	case 'l':
		sp->bytes = 8;
		return fmt + (fmt[1] == 'l' ? 2 : 1);
	case 'z':
	case 't':
		sp->bytes = 8;
		return fmt + 1;
	default:
		return fmt;
	}
}

static long sign_extend(unsigned long v, unsigned int bytes)
{
	unsigned int shift = 64 - 8 * bytes;

	return (long)(v << shift) >> shift;
}

static unsigned long zero_extend(unsigned long v, unsigned int bytes)
{
	unsigned int shift = 64 - 8 * bytes;

	return v << shift >> shift;
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = { .buf = buf, .size = size };

	for (; *fmt; fmt++) {
		struct spec sp = { .precision = -1 };
		unsigned long v;
		char c;

		if (*fmt != '%') {
			put(&o, *fmt);
			continue;
		}
		fmt = read_flags(fmt + 1, &sp);
		if (*fmt == '*') {
			sp.width = va_arg(ap, int);
			sp.left |= sp.width < 0;
			sp.width = sp.width < 0 ? -sp.width : sp.width;
			fmt++;
		} else {
			sp.width = read_int(&fmt);
		}
		if (*fmt == '.') {
			fmt++;
			if (*fmt == '*') {
				sp.precision = va_arg(ap, int);
				fmt++;
			} else {
				sp.precision = read_int(&fmt);
			}
		}
		fmt = read_length(fmt, &sp);
		sp.conv = *fmt;
		switch (sp.conv) {
		case 'd':
		case 'i':
			v = sp.bytes == 8 ? va_arg(ap, unsigned long) : va_arg(ap, unsigned int);
			emit_signed(&o, &sp, sign_extend(v, sp.bytes));
			break;
		case 'u':
		case 'x':
		case 'X':
		case 'o':
			v = sp.bytes == 8 ? va_arg(ap, unsigned long) : va_arg(ap, unsigned int);
			emit_unsigned(&o, &sp, zero_extend(v, sp.bytes));
			break;
		case 'p':
			emit_unsigned(&o, &sp, (unsigned long)va_arg(ap, void *));
			break;
		case 'c':
			c = (char)va_arg(ap, int);
			emit_field(&o, &sp, "", 0, &c, 1);
			break;
		case 's':
			emit_string(&o, &sp, va_arg(ap, const char *));
			break;
		case '%':
			put(&o, '%');
			break;
		default: /* unknown: shown as it stands; a lone % at the end too */
			put(&o, '%');
			fmt--;
			break;
		}
	}
	if (size)
		buf[min(o.len, size - 1)] = 0;
	return (int)o.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

int scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (size == 0)
		return 0;
	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return min(n, (int)size - 1);
}
