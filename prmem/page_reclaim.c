/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Retired pages: the lanes' lists, the grace period, the owners that are left.
 *
 * One grace period serves the lists of all lanes.  It is waited for without a
 * lane's lock: others go on to retire, at the end of the list; what stood in
 * it before is known by its number, and only a reclaim takes from a list.
 */
#include <errno.h>

#include "common/cleanup.h"
#include "prmem/page_internal.h"
#include "prmem/pool.h"
#include "xarray/xa_rcu.h"

/* A grace period has passed since this page was retired. */
static void
let_go_locked(struct page_alloc *alloc, const struct retired *page)
{
	struct page_refs *refs = alloc->pool->refs;
	uint32_t nr = UINT32_C(1) << page->order;

	/*
	 * Nobody can find the page any more, so nobody becomes an owner.  If
	 * one is left, it is the one who frees; the account had counted it.
	 */
	if (refs != NULL && !page_refs_drop(refs, (uint64_t)page->pfn << UNIT_SHIFT))
		account_lose(alloc, nr);
	else if (alloc->page_cache)
		sync_wait_for_locked(alloc, page->pfn, nr);
	else
		bitmap_put_range_locked(alloc, page->pfn, nr);
}

static void
let_go_first(struct page_alloc *alloc, struct lane *lane, uint32_t nr)
{
	LOCK_FOR_SCOPE(&lane->lock);
	pthread_mutex_lock(&alloc->bitmap_lock);
	for (uint32_t i = 0; i < nr; i++)
		let_go_locked(alloc, &lane->retired[i]);
	pthread_mutex_unlock(&alloc->bitmap_lock);
	for (uint32_t i = nr; i < lane->nr_retired; i++)
		lane->retired[i - nr] = lane->retired[i];
	lane->nr_retired -= nr;
}

/* With reclaim_lock held.  Return: were there any? */
static bool
reclaim_locked(struct page_alloc *alloc)
{
	uint32_t nr[NR_LANES], total = 0;

	for (unsigned int i = 0; i < NR_LANES; i++) {
		pthread_mutex_lock(&alloc->lanes[i].lock);
		nr[i] = alloc->lanes[i].nr_retired;
		pthread_mutex_unlock(&alloc->lanes[i].lock);
		total += nr[i];
	}
	if (total > 0) {
		xa_synchronize();
		for (unsigned int i = 0; i < NR_LANES; i++) {
			if (nr[i] > 0)
				let_go_first(alloc, &alloc->lanes[i], nr[i]);
		}
	}
	atomic_fetch_add(&alloc->reclaim_seq, 1);
	return total > 0;
}

bool
reclaim_lanes(struct page_alloc *alloc)
{
	uint64_t seq = atomic_load(&alloc->reclaim_seq);

	LOCK_FOR_SCOPE(&alloc->reclaim_lock);
	if (atomic_load(&alloc->reclaim_seq) != seq)
		return true;
	return reclaim_locked(alloc);
}

int
reclaim_for_room(struct page_alloc *alloc)
{
	bool some = reclaim_lanes(alloc);
	int r;

	if (atomic_load(&alloc->nr_unsynced) == 0)
		return some;
	r = page_sync(alloc);
	return r < 0 ? r : 1;
}

int
page_reclaim(struct page_alloc *alloc)
{
	pthread_mutex_lock(&alloc->reclaim_lock);
	reclaim_locked(alloc);
	pthread_mutex_unlock(&alloc->reclaim_lock);
	return atomic_load(&alloc->nr_unsynced) == 0 ? 0 : page_sync(alloc);
}

void
page_retire(struct page_alloc *alloc, uint32_t pfn, unsigned int order)
{
	struct lane *lane = lane_mine(alloc);
	uint32_t nr;

	/* What a damaged slot named is not worth more than this. */
	if (order > PRMEM_ORDER_MAX || (uint64_t)pfn + (UINT64_C(1) << order) > alloc->nr_pages)
		return;
	for (;;) {
		pthread_mutex_lock(&lane->lock);
		nr = lane->nr_retired;
		if (nr < alloc->retired_max)
			lane->retired[lane->nr_retired++] = (struct retired){pfn, order};
		pthread_mutex_unlock(&lane->lock);
		if (nr < alloc->retired_max)
			break;
		/* Full, because another thread's reclaim is late: wait for that. */
		reclaim_lanes(alloc);
	}
	account_add(alloc, UINT64_C(1) << order);

	/* From half full on: if another thread is at it already, there is room to go on. */
	if (nr + 1 >= alloc->retired_max / 2 && pthread_mutex_trylock(&alloc->reclaim_lock) == 0) {
		reclaim_locked(alloc);
		pthread_mutex_unlock(&alloc->reclaim_lock);
	}
}
