/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What entries refer to, each different content once: pages, runs, buffers
 * and values are compared by their number.
 */
#ifndef PRMEM_TESTS_CONTENT_H
#define PRMEM_TESTS_CONTENT_H

#include <stddef.h>
#include <stdint.h>

#include "xarray/xarray_format.h"

#define CONTENT_NONE 0 /* nothing there; reads as zeroes */
#define CONTENT_UNKNOWN (-1) /* none that the test ever wrote */

struct content {
	uint64_t hash;
	uint8_t *bytes; /* of a page, run or buffer */
	uint32_t len_bytes;
	uint32_t value; /* of a value */
	enum xa_kind kind;
};

struct contents {
	struct content *list; /* list[0] is nothing */
	int32_t nr;
	int32_t room;
	int32_t *table; /* open addressing by hash; 0: free */
	uint32_t table_size;
};

void contents_init(struct contents *contents);
void contents_free(struct contents *contents);

/* Forget those from @nr on: undoes what was added since contents->nr was @nr. */
void contents_forget(struct contents *contents, int32_t nr);

/* Return: the number; CONTENT_UNKNOWN when it is not there. */
int32_t content_find(const struct contents *contents, enum xa_kind kind, const void *bytes, size_t len_bytes);
int32_t content_find_value(const struct contents *contents, uint32_t value);

/* The same, and put there if it is not; a page of zeroes is CONTENT_NONE. */
int32_t content_put(struct contents *contents, enum xa_kind kind, const void *bytes, size_t len_bytes);
int32_t content_put_value(struct contents *contents, uint32_t value);

uint64_t content_hash(const void *bytes, size_t len_bytes);

#endif
