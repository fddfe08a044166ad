/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is freed after damage was met.
 *
 * A slot that is damaged while the pool is open may name a page of another
 * index.  To free that when the slot is replaced would cost the other one its
 * page (promise P3).  Reading the old page before each write would show it,
 * and cost more than the write; so it is done from the first damage that was
 * met to the close of the pool.  What is not freed comes back with the next
 * open, which counts what is reached.
 */
#ifndef PRMEM_PROOF_H
#define PRMEM_PROOF_H

#include <stdatomic.h>

#include "prmem/core/pool.h"
#include "xarray/xa_internal.h"

/* wary_begin() - damage was met.  Context: any, signal handlers too. */
static inline void
wary_begin(struct prmem_pool *pool)
{
	/* Every read of a damaged page comes here. */
	if (!atomic_load_explicit(&pool->wary, memory_order_relaxed))
		atomic_store(&pool->wary, true);
}

/* wary_look() - what wary_may_free() does once damage was met. */
bool wary_look(struct prmem_pool *pool, const struct xarray *xa, uint32_t idx, xa_entry_t entry);

/*
 * wary_may_free() - does an entry that was replaced at @idx of @xa prove what it names?
 * Always true before damage was met.
 * In a pool that is nearly full it may be freed all the same: to put pages
 * aside there would end in -ENOSPC for what has room (promise P7), and most of
 * what does not match its proof is damaged itself.
 * Context: no window of the guard is open.
 */
static inline bool
wary_may_free(struct prmem_pool *pool, const struct xarray *xa, uint32_t idx, xa_entry_t entry)
{
	bool wary = atomic_load_explicit(&pool->wary, memory_order_relaxed);

	return LIKELY(!wary) || wary_look(pool, xa, idx, entry);
}

#endif
