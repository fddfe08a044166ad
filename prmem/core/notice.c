/* SPDX-License-Identifier: BSD-3-Clause */
/* What a pool says to the person who opened it. */
#include "prmem/core/notice.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "prmem/core/pool.h"
#include "prmem/memory/error.h"

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
pool_set_read_only(struct prmem_pool *pool, const char *fmt, ...)
{
	char why[sizeof pool->read_only_why];
	bool first;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);

	pthread_mutex_lock(&pool->why_lock);
	first = pool->read_only_why[0] == '\0';
	if (first)
		memcpy(pool->read_only_why, why, sizeof why);
	/* After the reason: who sees the one finds the other. */
	atomic_store(&pool->read_only, true);
	pthread_mutex_unlock(&pool->why_lock);
	if (first)
		pool_notice(pool, "pool %.200s: read-only: %s", pool->path, why);
}
