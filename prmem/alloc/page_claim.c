/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Claims and promises: what may have to make more pages ready, or wait for other
 * threads, before the account has enough.
 */
#include <errno.h>

#include "prmem/alloc/page_internal.h"
#include "prmem/core/pool.h"

/*
 * How long a claim waits for other threads, who each have taken a page to
 * replace one and will retire that.  Many pages for replacing: not long, the
 * caller can go on page by page.  One page, or promised ones: patience_ns, by
 * when it must be a fault.
 */
#define WAIT_MANY_NS UINT64_C(5000000)
#define WAIT_STEP_NS UINT64_C(1000000)

/* @ret_drawn is set on failure too: what would have been drawn on promises. */
static bool
try_claim(struct page_alloc *alloc, enum page_use use, uint64_t nr, uint64_t *ret_drawn, uint64_t *ret_missing)
{
	uint64_t old = atomic_load_explicit(&alloc->account, memory_order_relaxed), new;

	do {
		uint64_t nr_free = account_free(old), promised = account_promised(old), drawn = 0, need = nr;

		if (use == PAGE_USE_PROMISED)
			drawn = MIN(nr, promised);
		if (use != PAGE_USE_REPLACE && drawn < nr)
			need += alloc->kept_back + promised - drawn;
		*ret_drawn = drawn;
		if (nr_free < need) {
			*ret_missing = need - nr_free;
			return false;
		}
		new = (promised - drawn) << 32 | (nr_free - nr);
	} while (!atomic_compare_exchange_weak(&alloc->account, &old, new));
	return true;
}

/* Wait until somebody added to the account, or a moment.  Return: false when it has been too long. */
static bool
wait_for_others(struct page_alloc *alloc, uint64_t nr, bool patient, uint64_t *deadline_ns)
{
	uint64_t now = now_ns(), wake = now + WAIT_STEP_NS;
	struct timespec ts = {(time_t)(wake / 1000000000u), (long)(wake % 1000000000u)};
	uint64_t patience = patient ? alloc->patience_ns : WAIT_MANY_NS;

	/* A sync may take as long as a disk likes; others hold pages meanwhile. */
	if (*deadline_ns == 0 || (patient && atomic_load(&alloc->sync_started) != atomic_load(&alloc->sync_completed)))
		*deadline_ns = now + patience;
	if (now >= *deadline_ns)
		return false;
	pthread_mutex_lock(&alloc->wait_lock);
	atomic_fetch_add(&alloc->nr_waiting, 1);
	/* Whoever adds from here on sees nr_waiting and signals; before, we see it. */
	if (account_free(atomic_load(&alloc->account)) < nr)
		pthread_cond_timedwait(&alloc->wait_cond, &alloc->wait_lock, &ts);
	atomic_fetch_sub(&alloc->nr_waiting, 1);
	pthread_mutex_unlock(&alloc->wait_lock);
	return true;
}

/*
 * Would it not be enough if all units were ready?  Then a file does not grow
 * for a request that fails.  @seq was read before the account was.
 */
static bool
never_enough(struct page_alloc *alloc, uint64_t missing, uint64_t seq)
{
	return missing > atomic_load(&alloc->nr_unready) && seq == atomic_load(&alloc->ready_seq);
}

int
account_claim(struct page_alloc *alloc, enum page_use use, uint64_t nr, uint64_t *ret_drawn)
{
	uint64_t missing, deadline_ns = 0;

	for (;;) {
		uint64_t seq = atomic_load(&alloc->ready_seq);
		int r;

		if (try_claim(alloc, use, nr, ret_drawn, &missing))
			return 0;
		if (pool_is_read_only(alloc->pool))
			return -EROFS;
		if (use == PAGE_USE_NEW && never_enough(alloc, missing, seq))
			return -ENOSPC;
		r = ready_more(alloc, missing, seq);
		if (r == 0)
			continue;
		if (use == PAGE_USE_NEW || (use == PAGE_USE_PROMISED && *ret_drawn < nr))
			return r;
		/* More than the others can be holding will not come back. */
		if (use == PAGE_USE_REPLACE && nr > 1 && nr > alloc->kept_back)
			return -ENOSPC;
		if (!wait_for_others(alloc, nr, nr == 1 || use == PAGE_USE_PROMISED, &deadline_ns))
			return -ENOSPC;
	}
}

int
page_promise(struct page_alloc *alloc, uint64_t nr)
{
	/* Nobody can take anything; who looks is to see what is promised, without space being taken for it. */
	if (pool_is_read_only(alloc->pool)) {
		atomic_fetch_add(&alloc->account, nr << 32);
		return 0;
	}
	for (;;) {
		uint64_t seq = atomic_load(&alloc->ready_seq);
		uint64_t old = atomic_load(&alloc->account);
		uint64_t need = alloc->kept_back + account_promised(old) + nr;
		int r;

		if (account_free(old) >= need) {
			if (atomic_compare_exchange_weak(&alloc->account, &old, old + (nr << 32)))
				return 0;
			continue;
		}
		if (never_enough(alloc, need - account_free(old), seq))
			return -ENOSPC;
		r = ready_more(alloc, need - account_free(old), seq);
		if (r < 0)
			return r;
	}
}
