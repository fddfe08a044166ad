/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Filling the caller's error object.
 */
#ifndef PRMEM_ERROR_H
#define PRMEM_ERROR_H

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

/* notice() - tell the person who opened the pool one line. */
struct prmem_pool;
void pool_notice(struct prmem_pool *pool, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* args_notice() - the same while there is no pool yet. */
void args_notice(const struct prmem_open_args *args, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
