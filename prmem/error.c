/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two ways in which the library says something: the caller's error
 * object, and notices to the person who opened the pool.
 */
#include "prmem/error.h"

#include <stdarg.h>
#include <stdio.h>

#include "prmem/pool.h"

int
error_set(struct prmem_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return code;
	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->message, sizeof err->message, fmt, ap);
	va_end(ap);
	return code;
}

static void PRINTF_LIKE(3, 0)
	vnotice(void (*fn)(void *opaque, const char *message), void *opaque, const char *fmt, va_list ap)
{
	char message[512];

	vsnprintf(message, sizeof message, fmt, ap);
	fn(opaque, message);
}

void
pool_notice(struct prmem_pool *pool, const char *fmt, ...)
{
	va_list ap;

	if (pool->notice == NULL)
		return;
	va_start(ap, fmt);
	vnotice(pool->notice, pool->opaque, fmt, ap);
	va_end(ap);
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
