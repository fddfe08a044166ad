/* SPDX-License-Identifier: BSD-3-Clause */
/* Saying when a pool has little room left. */
#ifndef PRMEM_LOW_SPACE_H
#define PRMEM_LOW_SPACE_H

#include "common/compiler.h"
#include "prmem/core/pool.h"

/*
 * pool_watch_space() - tell when the pool has little room left, or enough
 * again.  Cheap when nobody wants to know.
 * Context: no lock held.
 */
void pool_check_space(struct prmem_pool *pool);
static inline void
pool_watch_space(struct prmem_pool *pool)
{
	if (UNLIKELY(atomic_load_explicit(&pool->low_pages, memory_order_relaxed) != 0))
		pool_check_space(pool);
}

#endif
