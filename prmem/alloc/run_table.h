/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The runs that prmem_alloc_pages() handed out: page number -> order, in RAM.
 * A slot of a run needs the order, and a program has the address only.
 */
#ifndef PRMEM_RUN_TABLE_H
#define PRMEM_RUN_TABLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"

struct page_run;

struct page_runs {
	pthread_mutex_t lock;
	struct page_run **buckets;
	uint32_t nr_buckets; /* a power of two, or 0 */
	_Atomic uint32_t nr_runs;
};

void page_runs_init(struct page_runs *runs);
void page_runs_fini(struct page_runs *runs);

/* Return: 0, -ENOMEM.  Context: takes the lock, as the others here. */
MUST_CHECK int page_runs_add(struct page_runs *runs, uint32_t pfn, unsigned int order);

/* Return: true and the order; false when no run that starts there was handed out. */
MUST_CHECK bool page_runs_find(struct page_runs *runs, uint32_t pfn, unsigned int *ret_order);

/* Return: true if there was one of this order, and it is forgotten. */
bool page_runs_remove(struct page_runs *runs, uint32_t pfn, unsigned int order);

#endif
