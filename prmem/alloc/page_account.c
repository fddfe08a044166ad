/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The account of free pages: who may have how many.
 *
 * Free and promised pages lie in one word, so that a claim sees both at one
 * instant.  A retired page is free in the account from the moment it is
 * retired; that it has to wait for a grace period is the collector's concern.
 */

#include "prmem/alloc/page_internal.h"

int
account_init(struct page_alloc *alloc)
{
	pthread_condattr_t attr;
	int r = pthread_condattr_init(&attr);

	if (r != 0)
		return -r;
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	r = pthread_cond_init(&alloc->wait_cond, &attr);
	pthread_condattr_destroy(&attr);
	if (r != 0)
		return -r;
	pthread_mutex_init(&alloc->wait_lock, NULL);
	return 0;
}

void
account_fini(struct page_alloc *alloc)
{
	pthread_mutex_destroy(&alloc->wait_lock);
	pthread_cond_destroy(&alloc->wait_cond);
}

void
account_add(struct page_alloc *alloc, uint64_t nr)
{
	if (UNLIKELY(atomic_load(&alloc->shortfall) > 0))
		nr -= account_absorb(alloc, nr);
	if (nr == 0)
		return;
	atomic_fetch_add(&alloc->account, nr);
	if (UNLIKELY(atomic_load(&alloc->nr_waiting) > 0)) {
		pthread_mutex_lock(&alloc->wait_lock);
		pthread_cond_broadcast(&alloc->wait_cond);
		pthread_mutex_unlock(&alloc->wait_lock);
	}
}

void
account_lose(struct page_alloc *alloc, uint64_t nr)
{
	uint64_t old = atomic_load(&alloc->account), take;

	do {
		take = MIN(nr, account_free(old));
	} while (!atomic_compare_exchange_weak(&alloc->account, &old, old - take));
	if (take < nr)
		atomic_fetch_add(&alloc->shortfall, nr - take);
}

uint64_t
account_absorb(struct page_alloc *alloc, uint64_t nr)
{
	uint64_t old = atomic_load(&alloc->shortfall), take;

	do {
		take = MIN(nr, old);
	} while (take > 0 && !atomic_compare_exchange_weak(&alloc->shortfall, &old, old - take));
	return take;
}

void
page_unpromise(struct page_alloc *alloc, uint64_t nr)
{
	uint64_t old = atomic_load(&alloc->account), take;

	do {
		take = MIN(nr, account_promised(old));
	} while (!atomic_compare_exchange_weak(&alloc->account, &old, old - (take << 32)));
}

void
page_repromise(struct page_alloc *alloc, uint64_t nr)
{
	atomic_fetch_add(&alloc->account, nr << 32);
}

void
page_numbers(struct page_alloc *alloc, struct page_numbers *ret)
{
	uint64_t account = atomic_load(&alloc->account);

	ret->nr_free = account_free(account) + atomic_load(&alloc->nr_unready);
	ret->nr_kept_back = MIN(alloc->kept_back, ret->nr_free);
	ret->nr_promised = account_promised(account);
	ret->nr_bad = atomic_load(&alloc->nr_bad);
}
