/* SPDX-License-Identifier: BSD-3-Clause */
/* The pages that hold buffers. */
#include <stdlib.h>

#include "common/mix64.h"
#include "prmem/object/buffer_table.h"

#define FIRST_BUCKETS 64u

void
buffer_table_fini(struct buffer_table *table)
{
	for (uint32_t i = 0; i < table->nr_buckets; i++) {
		while (table->buckets[i] != NULL) {
			struct buffer_page *page = table->buckets[i];

			table->buckets[i] = page->hash_next;
			free(page);
		}
	}
	free(table->buckets);
}

static struct buffer_page **
bucket_of(struct buffer_page **buckets, uint32_t nr_buckets, uint32_t pfn)
{
	return &buckets[mix64(pfn) & (nr_buckets - 1)];
}

struct buffer_page *
buffer_table_find(const struct buffer_table *table, uint32_t pfn)
{
	struct buffer_page *page;

	if (table->nr_buckets == 0)
		return NULL;
	page = *bucket_of(table->buckets, table->nr_buckets, pfn);
	while (page != NULL && page->pfn != pfn)
		page = page->hash_next;
	return page;
}

/* Twice the buckets.  Without memory the chains just grow longer. */
static void
grow(struct buffer_table *table)
{
	uint32_t nr = table->nr_buckets == 0 ? FIRST_BUCKETS : table->nr_buckets * 2;
	struct buffer_page **buckets = calloc(nr, sizeof *buckets);

	if (buckets == NULL)
		return;
	for (uint32_t i = 0; i < table->nr_buckets; i++) {
		while (table->buckets[i] != NULL) {
			struct buffer_page *page = table->buckets[i];
			struct buffer_page **head = bucket_of(buckets, nr, page->pfn);

			table->buckets[i] = page->hash_next;
			page->hash_next = *head;
			*head = page;
		}
	}
	free(table->buckets);
	table->buckets = buckets;
	table->nr_buckets = nr;
}

/* Put a page among those with room, or take it from there. */
static void
update_room(struct buffer_table *table, struct buffer_page *page, bool room)
{
	if (page->listed == room)
		return;
	page->listed = room;
	if (room) {
		page->prev = NULL;
		page->next = table->room;
		if (page->next != NULL)
			page->next->prev = page;
		table->room = page;
		return;
	}
	if (page->next != NULL)
		page->next->prev = page->prev;
	if (page->prev != NULL)
		page->prev->next = page->next;
	else
		table->room = page->next;
}

struct buffer_page *
buffer_table_add(struct buffer_table *table, uint32_t pfn)
{
	struct buffer_page *page = calloc(1, sizeof *page), **head;

	if (page == NULL)
		return NULL;
	if (table->nr_pages >= table->nr_buckets)
		grow(table);
	if (table->nr_buckets == 0) {
		free(page);
		return NULL;
	}
	page->pfn = pfn;
	head = bucket_of(table->buckets, table->nr_buckets, pfn);
	page->hash_next = *head;
	*head = page;
	table->nr_pages++;
	update_room(table, page, true);
	return page;
}

void
buffer_table_remove(struct buffer_table *table, struct buffer_page *page)
{
	struct buffer_page **at = bucket_of(table->buckets, table->nr_buckets, page->pfn);

	while (*at != page)
		at = &(*at)->hash_next;
	*at = page->hash_next;
	table->nr_pages--;
	update_room(table, page, false);
	free(page);
}

/* The first of @nr free granules in a row, or 64. */
static unsigned int
find_room(uint64_t used, unsigned int nr)
{
	uint64_t room = ~used;

	/* After each step a bit says: so many free granules begin here. */
	for (unsigned int have = 1; have < nr && room != 0;) {
		unsigned int more = MIN(have, nr - have);

		room &= room >> more;
		have += more;
	}
	return room == 0 ? 64 : (unsigned int)__builtin_ctzll(room);
}

bool
buffer_table_take(struct buffer_table *table, unsigned int nr, uint32_t max_looks, uint32_t *ret_payload)
{
	struct buffer_page *page = table->room;

	for (uint32_t i = 0; page != NULL && i < max_looks; i++, page = page->next) {
		unsigned int granule = find_room(page->used, nr);

		if (granule == 64)
			continue;
		buffer_page_use(table, page, granule, nr);
		*ret_payload = page->pfn * BUFFER_GRANULES_PER_PAGE + granule;
		return true;
	}
	return false;
}

void
buffer_page_use(struct buffer_table *table, struct buffer_page *page, unsigned int granule, unsigned int nr)
{
	page->used |= buffer_mask(granule, nr);
	page->starts |= UINT64_C(1) << granule;
	update_room(table, page, page->used != ~UINT64_C(0));
}

uint64_t
buffer_page_extent(const struct buffer_page *page, unsigned int granule)
{
	uint64_t behind = granule == 63 ? 0 : ~UINT64_C(0) << (granule + 1);
	uint64_t stop = (page->starts | ~page->used) & behind;
	unsigned int end = stop == 0 ? 64 : (unsigned int)__builtin_ctzll(stop);

	return buffer_mask(granule, end - granule);
}

void
buffer_page_free(struct buffer_table *table, struct buffer_page *page, uint64_t granules)
{
	page->used &= ~granules;
	page->starts &= ~granules;
	page->retired &= ~granules;
	page->waiting &= ~granules;
	update_room(table, page, page->used != ~UINT64_C(0));
}
