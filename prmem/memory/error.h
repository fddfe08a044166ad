/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Filling the caller's error object.
 */
#ifndef PRMEM_ERROR_H
#define PRMEM_ERROR_H

#include <stdarg.h>

#include "common/compiler.h"
#include "prmem/prmem.h"

/*
 * error_set() - describe a failure in one line: what, where, what to do.
 * Control characters of what it quotes become '?'.
 * @err: may be NULL
 * @code: a negative errno
 * Return: @code, for `return error_set(...)`.
 */
int error_set(struct prmem_error *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* args_notice() - tell the person who opens a pool one line, while there is no pool yet. */
void args_notice(const struct prmem_open_args *args, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* vnotice() - hand one line to a function that takes notices. */
void vnotice(void (*fn)(void *opaque, const char *message), void *opaque, const char *fmt, va_list ap)
	PRINTF_LIKE(3, 0);

#endif
