/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pages that hold buffers, in RAM: which granules of each are in use.
 * Nothing in here takes a lock; the buffers' lock is held by the caller.
 */
#ifndef PRMEM_BUFFER_TABLE_H
#define PRMEM_BUFFER_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "prmem/format/buffer_format.h"

struct buffer_page {
	struct buffer_page *hash_next;
	struct buffer_page *prev, *next; /* pages with room */
	struct buffer_page *waiting_next;
	uint32_t pfn;
	bool listed; /* among the pages with room */
	bool waits;  /* among those with buffers that wait for a sync */
	/* A bit a granule. */
	uint64_t used;
	uint64_t starts;  /* first granules of buffers */
	uint64_t retired; /* first granules of those that wait for a grace period */
	uint64_t waiting; /* granules that wait for a sync */
	uint64_t wait_seq; /* the sync that the last of them waits for */
};

struct buffer_table {
	struct buffer_page **buckets;
	uint32_t nr_buckets; /* a power of two, or 0 */
	uint32_t nr_pages;
	struct buffer_page *room;    /* pages with a free granule */
	struct buffer_page *waiting; /* pages with granules that wait for a sync */
};

void buffer_table_fini(struct buffer_table *table);

struct buffer_page *buffer_table_find(const struct buffer_table *table, uint32_t pfn);

/* Return: the new page, with nothing in use; NULL without memory. */
struct buffer_page *buffer_table_add(struct buffer_table *table, uint32_t pfn);

/* Forget a page that has nothing in use. */
void buffer_table_remove(struct buffer_table *table, struct buffer_page *page);

/*
 * buffer_table_take() - @nr granules of a page with room.
 * @max_looks: how many pages to look at
 */
MUST_CHECK bool buffer_table_take(struct buffer_table *table, unsigned int nr, uint32_t max_looks,
				  uint32_t *ret_payload);

/* Bits of @nr granules from @granule on. */
static inline uint64_t
buffer_mask(unsigned int granule, unsigned int nr)
{
	return (nr >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << nr) - 1) << granule;
}

static inline unsigned int
buffer_granules(size_t len_bytes)
{
	return (unsigned int)DIV_ROUND_UP(sizeof(struct buffer_media) + len_bytes, BUFFER_GRANULE_BYTES);
}

/* Set granules in use as one buffer. */
void buffer_page_use(struct buffer_table *table, struct buffer_page *page, unsigned int granule, unsigned int nr);

/* All granules of the buffer that starts at one. */
uint64_t buffer_page_extent(const struct buffer_page *page, unsigned int granule);

/* Free granules; starts among them are gone. */
void buffer_page_free(struct buffer_table *table, struct buffer_page *page, uint64_t granules);

#endif
