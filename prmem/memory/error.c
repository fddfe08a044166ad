/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two ways in which the library says something: the caller's error
 * object, and notices to the person who opens the pool.
 */
#include "prmem/memory/error.h"

#include <stdio.h>

/*
 * What is said may quote anything, such as a path, and a terminal obeys control
 * characters: a '?' in the place of each.  Those beyond ASCII are the two bytes
 * C2 80 to C2 9F of UTF-8; all else that is not ASCII may be letters.
 */
static void
one_line(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++) {
		if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
			p[0] = p[1] = '?';
		else if (*p < ' ' || *p == 0x7f)
			*p = '?';
	}
}

int
error_set(struct prmem_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return code;
	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->message, sizeof err->message, fmt, ap);
	one_line(err->message);
	va_end(ap);
	return code;
}

void
vnotice(void (*fn)(void *opaque, const char *message), void *opaque, const char *fmt, va_list ap)
{
	char message[512];

	vsnprintf(message, sizeof message, fmt, ap);
	one_line(message);
	fn(opaque, message);
}

void
args_notice(const struct prmem_open_args *args, const char *fmt, ...)
{
	va_list ap;

	if (args->notice == NULL)
		return;
	va_start(ap, fmt);
	vnotice(args->notice, args->opaque, fmt, ap);
	va_end(ap);
}
