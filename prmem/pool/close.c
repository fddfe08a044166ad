/* SPDX-License-Identifier: BSD-3-Clause */
/* The end of an open pool; a sync of it; and its life in a child process. */
#include "prmem/pool/close.h"

#include <stdlib.h>
#include <string.h>

#include "prmem/alloc/page_alloc.h"
#include "prmem/alloc/page_refs.h"
#include "prmem/core/guard.h"
#include "prmem/core/notice.h"
#include "prmem/core/pool.h"
#include "prmem/instance/directory.h"
#include "prmem/memory/owner.h"
#include "prmem/object/buffer.h"
#include "prmem/pool/regions.h"

void
pool_destroy(struct prmem_pool *pool)
{
	if (pool == NULL)
		return;
	guard_remove(pool);
	if (pool->dir != NULL)
		directory_close(pool->dir);
	if (pool->buffers != NULL)
		buffers_destroy(pool->buffers);
	if (pool->pages != NULL)
		page_alloc_destroy(pool->pages);
	if (pool->refs != NULL)
		page_refs_destroy(pool->refs);
	regions_close(pool);
	for (size_t i = 0; i < ARRAY_SIZE(pool->stripes); i++)
		pthread_mutex_destroy(&pool->stripes[i].lock);
	pthread_mutex_destroy(&pool->why_lock);
	pthread_mutex_destroy(&pool->sb_lock);
	pthread_mutex_destroy(&pool->grow_lock);
	free(pool);
}

int
prmem_sync(struct prmem_pool *pool)
{
	return page_sync(pool->pages);
}

void
prmem_after_fork(struct prmem_pool *pool)
{
	if (pool->lock != NULL)
		owner_record_renew(pool->lock, pool->pm);
}

void
prmem_close(struct prmem_pool *pool)
{
	struct owner_lock *lock;
	struct pm *pm;

	if (pool == NULL)
		return;
	lock = pool->lock;
	pm = pool->pm;
	if (!pm->read_only) {
		int r = page_sync(pool->pages);

		if (r < 0)
			pool_notice(pool, "pool %.200s: what was written last did not reach its disk: %s", pool->path,
				    strerror(-r));
	}
	pool_destroy(pool);
	/* Last, so that nobody else is let in while this one could still store anything. */
	if (lock != NULL)
		owner_record_clear(lock, pm);
	pm->ops->close(pm);
	owner_lock_release(lock);
}
