/* SPDX-License-Identifier: BSD-3-Clause */
/* The runs that were handed out to programs. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/mix64.h"
#include "prmem/alloc/run_table.h"

#define RUNS_FIRST_BUCKETS 64u

struct page_run {
	struct page_run *next;
	uint32_t pfn;
	uint32_t order;
};

void
page_runs_init(struct page_runs *runs)
{
	pthread_mutex_init(&runs->lock, NULL);
	runs->buckets = NULL;
	runs->nr_buckets = 0;
	atomic_init(&runs->nr_runs, 0);
}

void
page_runs_fini(struct page_runs *runs)
{
	for (uint32_t i = 0; i < runs->nr_buckets; i++) {
		while (runs->buckets[i] != NULL) {
			struct page_run *run = runs->buckets[i];

			runs->buckets[i] = run->next;
			free(run);
		}
	}
	free(runs->buckets);
	pthread_mutex_destroy(&runs->lock);
}

static struct page_run **
bucket_of(struct page_run **buckets, uint32_t nr_buckets, uint32_t pfn)
{
	return &buckets[mix64(pfn) & (nr_buckets - 1)];
}

/* Twice the buckets.  Without memory the chains just grow longer. */
static void
grow_locked(struct page_runs *runs)
{
	uint32_t nr = runs->nr_buckets == 0 ? RUNS_FIRST_BUCKETS : runs->nr_buckets * 2;
	struct page_run **buckets = calloc(nr, sizeof *buckets);

	if (buckets == NULL)
		return;
	for (uint32_t i = 0; i < runs->nr_buckets; i++) {
		while (runs->buckets[i] != NULL) {
			struct page_run *run = runs->buckets[i];
			struct page_run **head = bucket_of(buckets, nr, run->pfn);

			runs->buckets[i] = run->next;
			run->next = *head;
			*head = run;
		}
	}
	free(runs->buckets);
	runs->buckets = buckets;
	runs->nr_buckets = nr;
}

int
page_runs_add(struct page_runs *runs, uint32_t pfn, unsigned int order)
{
	struct page_run *run = malloc(sizeof *run), **head;

	if (run == NULL)
		return -ENOMEM;
	LOCK_FOR_SCOPE(&runs->lock);
	if (runs->nr_runs >= runs->nr_buckets)
		grow_locked(runs);
	if (runs->nr_buckets == 0) {
		free(run);
		return -ENOMEM;
	}
	head = bucket_of(runs->buckets, runs->nr_buckets, pfn);
	*run = (struct page_run){.next = *head, .pfn = pfn, .order = order};
	*head = run;
	runs->nr_runs++;
	return 0;
}

bool
page_runs_find(struct page_runs *runs, uint32_t pfn, unsigned int *ret_order)
{
	LOCK_FOR_SCOPE(&runs->lock);
	if (runs->nr_buckets == 0)
		return false;
	for (struct page_run *run = *bucket_of(runs->buckets, runs->nr_buckets, pfn); run != NULL; run = run->next) {
		if (run->pfn == pfn) {
			*ret_order = run->order;
			return true;
		}
	}
	return false;
}

bool
page_runs_remove(struct page_runs *runs, uint32_t pfn, unsigned int order)
{
	/* Every page that a disk replaces comes by here; most programs have no runs. */
	if (LIKELY(atomic_load_explicit(&runs->nr_runs, memory_order_relaxed) == 0))
		return false;
	LOCK_FOR_SCOPE(&runs->lock);
	if (runs->nr_buckets == 0)
		return false;
	for (struct page_run **at = bucket_of(runs->buckets, runs->nr_buckets, pfn); *at != NULL; at = &(*at)->next) {
		struct page_run *run = *at;

		if (run->pfn == pfn && run->order == order) {
			*at = run->next;
			free(run);
			runs->nr_runs--;
			return true;
		}
	}
	return false;
}
