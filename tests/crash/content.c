/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/crash/content.h"

#include <isa-l/crc64.h>
#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "common/mix64.h"

static void *
must(void *p)
{
	if (!p)
		abort();
	return p;
}

void
contents_init(struct contents *contents)
{
	memset(contents, 0, sizeof *contents);
	contents->nr = 1;
	contents->room = 64;
	contents->list = must(calloc((size_t)contents->room, sizeof *contents->list));
	contents->table_size = 1024;
	contents->table = must(calloc(contents->table_size, sizeof *contents->table));
}

void
contents_free(struct contents *contents)
{
	contents_forget(contents, 1);
	free(contents->list);
	free(contents->table);
}

uint64_t
content_hash(const void *bytes, size_t len_bytes)
{
	return mix64(crc64_ecma_refl(len_bytes, bytes, len_bytes));
}

static uint64_t
with_kind(uint64_t hash, enum xa_kind kind)
{
	return hash + (uint64_t)kind * UINT64_C(0xd1342543de82ef95);
}

static int32_t *
look_up(const struct contents *contents, uint64_t hash, enum xa_kind kind, const void *bytes, size_t len_bytes,
	uint32_t value)
{
	uint32_t i = (uint32_t)mix64(hash) & (contents->table_size - 1);

	for (; contents->table[i]; i = (i + 1) & (contents->table_size - 1)) {
		const struct content *c = &contents->list[contents->table[i]];

		if (c->hash == hash && c->kind == kind && c->len_bytes == len_bytes && c->value == value &&
		    (len_bytes == 0 || memcmp(c->bytes, bytes, len_bytes) == 0))
			break;
	}
	return &contents->table[i];
}

static void
grow_table(struct contents *contents)
{
	contents->table_size *= 2;
	free(contents->table);
	contents->table = must(calloc(contents->table_size, sizeof *contents->table));
	for (int32_t n = 1; n < contents->nr; n++) {
		const struct content *c = &contents->list[n];

		*look_up(contents, c->hash, c->kind, c->bytes, c->len_bytes, c->value) = n;
	}
}

static int32_t
put(struct contents *contents, uint64_t hash, enum xa_kind kind, const void *bytes, size_t len_bytes, uint32_t value)
{
	int32_t *slot = look_up(contents, hash, kind, bytes, len_bytes, value);
	struct content *c;

	if (*slot)
		return *slot;
	if (contents->nr == contents->room) {
		contents->room *= 2;
		contents->list = must(realloc(contents->list, (size_t)contents->room * sizeof *contents->list));
	}
	c = &contents->list[contents->nr];
	*c = (struct content){.hash = hash, .len_bytes = (uint32_t)len_bytes, .value = value, .kind = kind};
	if (len_bytes) {
		c->bytes = must(malloc(len_bytes));
		memcpy(c->bytes, bytes, len_bytes);
	}
	*slot = contents->nr++;
	if (2 * (uint32_t)contents->nr > contents->table_size)
		grow_table(contents);
	return contents->nr - 1;
}

void
contents_forget(struct contents *contents, int32_t nr)
{
	/* The newest first: then no chain of the open addressing is cut. */
	while (contents->nr > nr) {
		struct content *c = &contents->list[--contents->nr];

		*look_up(contents, c->hash, c->kind, c->bytes, c->len_bytes, c->value) = 0;
		free(c->bytes);
	}
}

int32_t
content_find(const struct contents *contents, enum xa_kind kind, const void *bytes, size_t len_bytes)
{
	int32_t n = *look_up(contents, with_kind(content_hash(bytes, len_bytes), kind), kind, bytes, len_bytes, 0);

	return n ? n : CONTENT_UNKNOWN;
}

int32_t
content_find_value(const struct contents *contents, uint32_t value)
{
	int32_t n = *look_up(contents, with_kind(mix64(value), XA_KIND_VALUE), XA_KIND_VALUE, NULL, 0, value);

	return n ? n : CONTENT_UNKNOWN;
}

int32_t
content_put(struct contents *contents, enum xa_kind kind, const void *bytes, size_t len_bytes)
{
	if (kind == XA_KIND_PAGE && mem_is_zero(bytes, len_bytes))
		return CONTENT_NONE;
	return put(contents, with_kind(content_hash(bytes, len_bytes), kind), kind, bytes, len_bytes, 0);
}

int32_t
content_put_value(struct contents *contents, uint32_t value)
{
	return put(contents, with_kind(mix64(value), XA_KIND_VALUE), XA_KIND_VALUE, NULL, 0, value);
}
