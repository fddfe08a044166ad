/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small buffers inside pages.
 *
 * A buffer that is retired goes through what a page goes through: a grace
 * period (a list, with one period for many), the owners that are left, and on
 * page cache a sync; the page goes with its last buffer.
 *
 * Lock order: drain_lock, then lock, then those of page_alloc.h and
 * page_refs.h.  A grace period is waited for with drain_lock alone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "prmem/alloc/bad_page.h"
#include "prmem/alloc/page_alloc.h"
#include "prmem/alloc/page_refs.h"
#include "prmem/core/pool.h"
#include "prmem/object/buffer.h"
#include "prmem/object/buffer_table.h"
#include "xarray/xa_rcu.h"

#define PENDING_MAX 128u
#define PENDING_DRAIN 64u /* from here on somebody drains */
#define LOOKS 32u /* pages with room to look at before a new page is taken */

struct buffers {
	struct prmem_pool *pool;
	pthread_mutex_t drain_lock;
	pthread_mutex_t lock; /* all below */
	struct buffer_table table;
	uint32_t pending[PENDING_MAX];
	unsigned int nr_pending;
};

int
buffers_create(struct prmem_pool *pool, struct buffers **ret_buffers)
{
	struct buffers *buffers = calloc(1, sizeof *buffers);

	if (buffers == NULL)
		return -ENOMEM;
	buffers->pool = pool;
	pthread_mutex_init(&buffers->drain_lock, NULL);
	pthread_mutex_init(&buffers->lock, NULL);
	*ret_buffers = buffers;
	return 0;
}

void
buffers_destroy(struct buffers *buffers)
{
	if (buffers == NULL)
		return;
	buffer_table_fini(&buffers->table);
	pthread_mutex_destroy(&buffers->drain_lock);
	pthread_mutex_destroy(&buffers->lock);
	free(buffers);
}

static uint32_t
payload_pfn(uint32_t payload)
{
	return payload / BUFFER_GRANULES_PER_PAGE;
}

static unsigned int
payload_granule(uint32_t payload)
{
	return payload % BUFFER_GRANULES_PER_PAGE;
}

/* The page of a buffer in use that starts just there, or NULL. */
static struct buffer_page *
find_locked(struct buffers *buffers, uint32_t payload)
{
	struct buffer_page *page = buffer_table_find(&buffers->table, payload_pfn(payload));
	uint64_t bit = UINT64_C(1) << payload_granule(payload);

	return page != NULL && (page->starts & bit) != 0 && (page->waiting & bit) == 0 ? page : NULL;
}

static void
free_granules_locked(struct buffers *buffers, struct buffer_page *page, uint64_t granules)
{
	uint32_t pfn = page->pfn;

	buffer_page_free(&buffers->table, page, granules);
	if (page->used != 0)
		return;
	buffer_table_remove(&buffers->table, page);
	page_free_now(buffers->pool->pages, pfn, 1);
}

/* The grace period is over and nobody owns it any more. */
static void
let_go_locked(struct buffers *buffers, struct buffer_page *page, unsigned int granule)
{
	uint64_t granules = buffer_page_extent(page, granule);
	uint64_t seq = page_sync_needed(buffers->pool->pages);

	if (page_sync_done(buffers->pool->pages, seq)) {
		free_granules_locked(buffers, page, granules);
		return;
	}
	page->waiting |= granules;
	page->wait_seq = seq;
	if (!page->waits) {
		page->waits = true;
		page->waiting_next = buffers->table.waiting;
		buffers->table.waiting = page;
	}
}

/* Free what waited for syncs that are done. */
static void
sweep_locked(struct buffers *buffers)
{
	struct buffer_page **at = &buffers->table.waiting;

	while (*at != NULL) {
		struct buffer_page *page = *at;

		if (!page_sync_done(buffers->pool->pages, page->wait_seq)) {
			at = &page->waiting_next;
			continue;
		}
		*at = page->waiting_next;
		page->waits = false;
		free_granules_locked(buffers, page, page->waiting);
	}
}

/* With drain_lock held. */
static void
drain_pending(struct buffers *buffers)
{
	unsigned int nr;

	pthread_mutex_lock(&buffers->lock);
	nr = buffers->nr_pending;
	pthread_mutex_unlock(&buffers->lock);
	if (nr > 0)
		xa_synchronize();
	LOCK_FOR_SCOPE(&buffers->lock);
	for (unsigned int i = 0; i < nr; i++) {
		uint32_t payload = buffers->pending[i];
		uint64_t bit = UINT64_C(1) << payload_granule(payload);
		struct buffer_page *page = find_locked(buffers, payload);

		/* It may have been given back by hand, and be another buffer now. */
		if (page == NULL || (page->retired & bit) == 0)
			continue;
		page->retired &= ~bit;
		/* An owner that is left frees it, or another slot retires it. */
		if (buffers->pool->refs == NULL || page_refs_drop(buffers->pool->refs, payload))
			let_go_locked(buffers, page, payload_granule(payload));
	}
	buffers->nr_pending -= nr;
	memmove(buffers->pending, buffers->pending + nr, buffers->nr_pending * sizeof buffers->pending[0]);
	sweep_locked(buffers);
}

int
buffers_reclaim(struct buffers *buffers)
{
	int r = 0;
	bool waiting;

	pthread_mutex_lock(&buffers->drain_lock);
	drain_pending(buffers);
	pthread_mutex_unlock(&buffers->drain_lock);
	pthread_mutex_lock(&buffers->lock);
	waiting = buffers->table.waiting != NULL;
	pthread_mutex_unlock(&buffers->lock);
	if (!waiting)
		return 0;
	r = page_sync(buffers->pool->pages);
	if (r < 0)
		return r;
	LOCK_FOR_SCOPE(&buffers->lock);
	sweep_locked(buffers);
	return 0;
}

/* A new page for buffers, with the first one in it. */
static int
take_new_page(struct buffers *buffers, unsigned int nr, uint32_t *ret_payload)
{
	struct page_alloc *pages = buffers->pool->pages;
	struct buffer_page *page;
	uint32_t pfn;

	do {
		int r = page_take(pages, PAGE_USE_NEW, 1, &pfn);

		if (r < 0)
			return r;
		if (pfn >= BUFFER_PFN_LIMIT) {
			page_untake(pages, &pfn, 1);
			return -ENOSPC;
		}
	} while (!bad_page_probe(buffers->pool, pfn));
	pthread_mutex_lock(&buffers->lock);
	page = buffer_table_add(&buffers->table, pfn);
	if (page != NULL)
		buffer_page_use(&buffers->table, page, 0, nr);
	pthread_mutex_unlock(&buffers->lock);
	if (page == NULL) {
		page_untake(pages, &pfn, 1);
		return -ENOMEM;
	}
	*ret_payload = pfn * BUFFER_GRANULES_PER_PAGE;
	return 0;
}

static bool
take_room(struct buffers *buffers, unsigned int nr, uint32_t max_looks, uint32_t *ret_payload)
{
	LOCK_FOR_SCOPE(&buffers->lock);
	if (buffer_table_take(&buffers->table, nr, max_looks, ret_payload))
		return true;
	if (buffers->table.waiting == NULL)
		return false;
	sweep_locked(buffers);
	return buffer_table_take(&buffers->table, nr, max_looks, ret_payload);
}

static int
take_granules(struct buffers *buffers, unsigned int nr, uint32_t *ret_payload)
{
	int r;

	if (take_room(buffers, nr, LOOKS, ret_payload))
		return 0;
	r = take_new_page(buffers, nr, ret_payload);
	if (r != -ENOSPC)
		return r;
	r = buffers_reclaim(buffers);
	if (r < 0)
		return r;
	if (take_room(buffers, nr, UINT32_MAX, ret_payload))
		return 0;
	return take_new_page(buffers, nr, ret_payload);
}

static struct buffer_media *
header_at(const struct prmem_pool *pool, uint32_t payload)
{
	char *page = pool_page(pool, payload_pfn(payload));

	if (page == NULL || pool_is_fixed_page(pool, payload_pfn(payload)))
		return NULL;
	return (struct buffer_media *)(void *)(page + payload_granule(payload) * BUFFER_GRANULE_BYTES);
}

int
buffer_take(struct buffers *buffers, size_t len_bytes, uint32_t *ret_payload)
{
	struct prmem_pool *pool = buffers->pool;
	const struct buffer_media header = {
		.magic = cpu_to_le32(BUFFER_MAGIC),
		.len_bytes = cpu_to_le32((uint32_t)len_bytes),
	};
	uint32_t payload;
	int r;

	if (len_bytes == 0 || len_bytes > PRMEM_ALLOC_MAX)
		return -EINVAL;
	if (pool_is_read_only(pool))
		return -EROFS;
	r = take_granules(buffers, buffer_granules(len_bytes), &payload);
	if (r < 0)
		return r;
	pm_copy(pool->pm, header_at(pool, payload), &header, sizeof header, PM_SITE_BUFFER_HEADER_COPY);
	*ret_payload = payload;
	return 0;
}

void
buffer_untake(struct buffers *buffers, uint32_t payload)
{
	struct buffer_page *page;

	LOCK_FOR_SCOPE(&buffers->lock);
	page = find_locked(buffers, payload);
	if (page != NULL)
		free_granules_locked(buffers, page, buffer_page_extent(page, payload_granule(payload)));
}

void
buffer_retire(struct buffers *buffers, uint32_t payload)
{
	uint64_t bit = UINT64_C(1) << payload_granule(payload);
	unsigned int nr;

	pthread_mutex_lock(&buffers->lock);
	for (;;) {
		struct buffer_page *page = find_locked(buffers, payload);

		/* Not a buffer, or retired already: what a damaged slot says. */
		if (page == NULL || (page->retired & bit) != 0) {
			pthread_mutex_unlock(&buffers->lock);
			return;
		}
		if (buffers->nr_pending < PENDING_MAX) {
			page->retired |= bit;
			buffers->pending[buffers->nr_pending++] = payload;
			break;
		}
		pthread_mutex_unlock(&buffers->lock);
		pthread_mutex_lock(&buffers->drain_lock);
		drain_pending(buffers);
		pthread_mutex_unlock(&buffers->drain_lock);
		pthread_mutex_lock(&buffers->lock);
	}
	nr = buffers->nr_pending;
	pthread_mutex_unlock(&buffers->lock);
	if (nr >= PENDING_DRAIN && pthread_mutex_trylock(&buffers->drain_lock) == 0) {
		drain_pending(buffers);
		pthread_mutex_unlock(&buffers->drain_lock);
	}
}

void
buffer_free_now(struct buffers *buffers, uint32_t payload)
{
	struct buffer_page *page;

	LOCK_FOR_SCOPE(&buffers->lock);
	page = find_locked(buffers, payload);
	if (page != NULL)
		let_go_locked(buffers, page, payload_granule(payload));
}

bool
buffer_mark(struct buffers *buffers, uint32_t payload)
{
	unsigned int granule = payload_granule(payload), nr;
	struct buffer_page *page;
	size_t len_bytes;

	if (buffer_at(buffers->pool, payload, &len_bytes) == NULL)
		return false;
	nr = buffer_granules(len_bytes);
	LOCK_FOR_SCOPE(&buffers->lock);
	page = buffer_table_find(&buffers->table, payload_pfn(payload));
	if (page == NULL) {
		if (!page_mark(buffers->pool->pages, payload_pfn(payload), 1))
			return false;
		page = buffer_table_add(&buffers->table, payload_pfn(payload));
	}
	if (page == NULL || (page->used & buffer_mask(granule, nr)) != 0)
		return false;
	buffer_page_use(&buffers->table, page, granule, nr);
	return true;
}

const struct buffer_media *
buffer_at(struct prmem_pool *pool, uint32_t payload, size_t *ret_len_bytes)
{
	const struct buffer_media *header = header_at(pool, payload);
	uint32_t len_bytes;

	if (header == NULL || le32_to_cpu(header->magic) != BUFFER_MAGIC)
		return NULL;
	len_bytes = le32_to_cpu(header->len_bytes);
	if (len_bytes == 0 || len_bytes > PRMEM_ALLOC_MAX ||
	    payload_granule(payload) + buffer_granules(len_bytes) > BUFFER_GRANULES_PER_PAGE)
		return NULL;
	*ret_len_bytes = len_bytes;
	return header;
}

bool
buffer_find(struct buffers *buffers, const void *content, uint32_t *ret_payload)
{
	uintptr_t start = (uintptr_t)content - sizeof(struct buffer_media);
	struct buffer_page *page;
	uint32_t pfn, payload;

	if (start % BUFFER_GRANULE_BYTES != 0 || !pool_pfn_of(buffers->pool, (const void *)start, &pfn) ||
	    pfn >= BUFFER_PFN_LIMIT)
		return false;
	payload = pfn * BUFFER_GRANULES_PER_PAGE + (uint32_t)(start % PRMEM_PAGE_SIZE) / BUFFER_GRANULE_BYTES;
	LOCK_FOR_SCOPE(&buffers->lock);
	page = find_locked(buffers, payload);
	if (page == NULL || (page->retired & UINT64_C(1) << payload_granule(payload)) != 0)
		return false;
	*ret_payload = payload;
	return true;
}
