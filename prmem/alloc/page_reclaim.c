/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Retired pages: the lanes' lists, the grace period, the owners that are left.
 *
 * One grace period serves the lists of all lanes.  It is waited for without a
 * lane's lock: others go on to retire, at the end of the list; what stood in
 * it before is known by its number, and only a reclaim takes from a list.
 */

#include "common/cleanup.h"
#include "prmem/alloc/page_internal.h"
#include "prmem/alloc/page_refs.h"
#include "prmem/core/pool.h"
#include "prmem/prmem.h"
#include "xarray/xa_rcu.h"

/* Of what a thin file has in use or ready: an eighth. */
#define GROW_SHARE 8u

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

/* Single pages without other owners, as many as lie in one word: what was written together.  Return: how many. */
static uint32_t
let_go_word_locked(struct page_alloc *alloc, const struct retired *pages, uint32_t nr)
{
	uint32_t w = pages->pfn >> UNIT_SHIFT, n = 0;
	uint64_t mask = 0;

	for (; n < nr && pages[n].order == 0 && pages[n].pfn >> UNIT_SHIFT == w; n++) {
		uint64_t bit = UINT64_C(1) << (pages[n].pfn % UNIT_PAGES);

		/* The second time it must be seen to be free already. */
		if ((mask & bit) != 0)
			break;
		mask |= bit;
	}
	if (mask != 0 && alloc->page_cache)
		sync_wait_for_word_locked(alloc, w, mask);
	else if (mask != 0)
		bitmap_put_word_locked(alloc, w, mask);
	return n;
}

/* The first @nr of a list.  Return: false when some of them must stay there, until a sync has made room. */
static bool
let_go_first(struct page_alloc *alloc, struct lane *lane, uint32_t nr)
{
	struct page_refs *refs = alloc->pool->refs;
	bool simple = refs == NULL || page_refs_none(refs);
	uint32_t done = 0;

	LOCK_FOR_SCOPE(&lane->lock);
	pthread_mutex_lock(&alloc->bitmap_lock);
	while (done < nr && !sync_is_full(alloc)) {
		uint32_t n = simple ? let_go_word_locked(alloc, &lane->retired[done], nr - done) : 0;

		if (n == 0)
			let_go_locked(alloc, &lane->retired[done++]);
		done += n;
	}
	pthread_mutex_unlock(&alloc->bitmap_lock);
	for (uint32_t i = done; i < lane->nr_retired; i++)
		lane->retired[i - done] = lane->retired[i];
	lane->nr_retired -= done;
	return done == nr;
}

/* With reclaim_lock held.  @ret_left: are some left for which there was no room?  Return: were there any? */
static bool
reclaim_locked(struct page_alloc *alloc, bool *ret_left)
{
	uint32_t nr[NR_LANES], total = 0;
	bool left = false;

	for (unsigned int i = 0; i < NR_LANES; i++) {
		pthread_mutex_lock(&alloc->lanes[i].lock);
		nr[i] = alloc->lanes[i].nr_retired;
		pthread_mutex_unlock(&alloc->lanes[i].lock);
		total += nr[i];
	}
	if (total > 0) {
		xa_synchronize();
		for (unsigned int i = 0; i < NR_LANES; i++) {
			if (nr[i] > 0 && !let_go_first(alloc, &alloc->lanes[i], nr[i]))
				left = true;
		}
	}
	*ret_left = left;
	atomic_fetch_add(&alloc->reclaim_seq, 1);
	return total > 0;
}

bool
reclaim_lanes(struct page_alloc *alloc)
{
	uint64_t seq = atomic_load(&alloc->reclaim_seq);
	bool left;

	LOCK_FOR_SCOPE(&alloc->reclaim_lock);
	if (atomic_load(&alloc->reclaim_seq) != seq)
		return true;
	return reclaim_locked(alloc, &left);
}

/* A thin file may grow by as much for pages that wait for a sync. */
static bool
few_wait(struct page_alloc *alloc)
{
	uint64_t nr_unready = atomic_load(&alloc->nr_unready);

	return nr_unready > 0 && atomic_load(&alloc->nr_unsynced) < (alloc->nr_pages - nr_unready) / GROW_SHARE;
}

int
reclaim_for_room(struct page_alloc *alloc, uint32_t nr, uint64_t seq)
{
	bool some = reclaim_lanes(alloc);
	int r;

	if (atomic_load(&alloc->nr_unsynced) == 0)
		return some;
	if (few_wait(alloc) && ready_more(alloc, nr, seq) == 0)
		return 1;
	r = page_sync(alloc);
	return r < 0 ? r : 1;
}

int
page_reclaim(struct page_alloc *alloc)
{
	bool left;
	int r;

	do {
		pthread_mutex_lock(&alloc->reclaim_lock);
		reclaim_locked(alloc, &left);
		pthread_mutex_unlock(&alloc->reclaim_lock);
		r = atomic_load(&alloc->nr_unsynced) == 0 ? 0 : page_sync(alloc);
	} while (left && r == 0);
	return r;
}

/* A list is half full, or (@full) full. */
static void
reclaim_for_list(struct page_alloc *alloc, bool full)
{
	bool left;

	if (pthread_mutex_trylock(&alloc->reclaim_lock) == 0) {
		/* From half full on: if another thread is at it already, there is room to go on. */
		reclaim_locked(alloc, &left);
		pthread_mutex_unlock(&alloc->reclaim_lock);
	} else if (full) {
		/* Full, because another thread's reclaim is late: wait for that. */
		reclaim_lanes(alloc);
	}
}

/*
 * Put objects of one order into the lane's list, and count them as free.
 * Return: how many; fewer than @nr when the list is full.
 */
static uint32_t
retire_some(struct page_alloc *alloc, struct lane *lane, const uint32_t *pfns, uint32_t nr, unsigned int order)
{
	uint32_t n, nr_listed;
	bool no_room;

	pthread_mutex_lock(&lane->lock);
	n = MIN(nr, alloc->retired_max - lane->nr_retired);
	for (uint32_t i = 0; i < n; i++)
		lane->retired[lane->nr_retired++] = (struct retired){pfns[i], order};
	nr_listed = lane->nr_retired;
	pthread_mutex_unlock(&lane->lock);
	account_add(alloc, (uint64_t)n << order);

	if (nr_listed < alloc->retired_max / 2)
		return n;
	/* No grace period after which nothing could leave the list. */
	no_room = sync_is_full(alloc);
	if (!no_room)
		reclaim_for_list(alloc, n < nr);
	sync_make_room(alloc, no_room && n < nr);
	return n;
}

void
page_retire(struct page_alloc *alloc, uint32_t pfn, unsigned int order)
{
	struct lane *lane = lane_mine(alloc);

	/* What a damaged slot named is not worth more than this. */
	if (order > PRMEM_ORDER_MAX || (uint64_t)pfn + (UINT64_C(1) << order) > alloc->nr_pages)
		return;
	while (retire_some(alloc, lane, &pfn, 1, order) == 0) {
	}
}

void
page_retire_many(struct page_alloc *alloc, const uint32_t *pfns, uint32_t nr)
{
	struct lane *lane = lane_mine(alloc);

	while (nr > 0) {
		uint32_t n = retire_some(alloc, lane, pfns, nr, 0);

		pfns += n;
		nr -= n;
	}
}
