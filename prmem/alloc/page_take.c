/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Taking pages and giving them back.
 *
 * A take claims a number of pages first (page_claim.c) and then collects that many
 * from wherever they are.
 */
#include <errno.h>
#include <time.h>

#include "prmem/alloc/page_internal.h"
#include "prmem/core/pool.h"

/* How long a collector looks for pages that the account says are there. */
#define COLLECT_NS UINT64_C(60000000000)
#define COLLECT_PAUSE_NS 50000

/* Look again in a moment.  Return: false when it has been too long. */
static bool
pause_collecting(uint64_t *deadline_ns)
{
	static const struct timespec pause = {0, COLLECT_PAUSE_NS};

	if (*deadline_ns == 0)
		*deadline_ns = now_ns() + COLLECT_NS;
	nanosleep(&pause, NULL);
	return now_ns() < *deadline_ns;
}

/*
 * Collect the pages that were claimed.
 * Return: 0; else nothing is left of the claim: -EAGAIN when it was the one
 * to fail for pages that are not there, -EIO, -ENOSPC.
 */
static int
collect(struct page_alloc *alloc, uint32_t nr, uint32_t *pfns)
{
	struct lane *lane = lane_mine(alloc);
	uint32_t got = nr <= alloc->batch ? lane_pop(lane, nr, pfns) : 0;
	uint64_t deadline_ns = 0, absorbed = 0;
	int r = 0;

	while (got < nr) {
		uint64_t seq = atomic_load(&alloc->ready_seq);

		got += lane_refill(alloc, lane, nr - got, pfns + got);
		if (got < nr)
			got += lanes_steal(alloc, nr - got, pfns + got);
		if (got == nr)
			break;
		r = reclaim_for_room(alloc, nr - got, seq);
		if (r > 0)
			continue;
		if (r < 0)
			break;
		absorbed = account_absorb(alloc, nr - got);
		if (absorbed > 0) {
			r = -EAGAIN;
			break;
		}
		/* They are in the hands of a thread that moves them from one place to another. */
		if (!pause_collecting(&deadline_ns)) {
			r = -ENOSPC;
			break;
		}
	}
	if (got == nr)
		return 0;
	lane_put(alloc, lane, pfns, got);
	account_add(alloc, nr - absorbed);
	return r;
}

int
page_take(struct page_alloc *alloc, enum page_use use, uint32_t nr, uint32_t *ret_pfns)
{
	uint64_t drawn;
	int r;

	if (nr == 0)
		return 0;
	if (pool_is_read_only(alloc->pool))
		return -EROFS;
	do {
		r = account_claim(alloc, use, nr, &drawn);
		if (r < 0)
			return r;
		r = collect(alloc, nr, ret_pfns);
		if (r < 0 && drawn > 0)
			page_repromise(alloc, drawn);
	} while (r == -EAGAIN);
	return r;
}

void
page_untake(struct page_alloc *alloc, const uint32_t *pfns, uint32_t nr)
{
	lane_put(alloc, lane_mine(alloc), pfns, nr);
	account_add(alloc, nr);
}

void
page_free_now(struct page_alloc *alloc, uint32_t pfn, uint32_t nr)
{
	if ((uint64_t)pfn + nr > alloc->nr_pages)
		return;
	pthread_mutex_lock(&alloc->bitmap_lock);
	while (sync_is_full(alloc)) {
		pthread_mutex_unlock(&alloc->bitmap_lock);
		(void)!page_sync(alloc);
		pthread_mutex_lock(&alloc->bitmap_lock);
	}
	if (alloc->page_cache)
		sync_wait_for_locked(alloc, pfn, nr);
	else
		bitmap_put_range_locked(alloc, pfn, nr);
	pthread_mutex_unlock(&alloc->bitmap_lock);
	account_add(alloc, nr);
}
