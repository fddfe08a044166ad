/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Media format: the header of a small buffer.  Buffers lie on 64-byte
 * granules inside one page, so that no two share a cache line; a slot names
 * one by page number * 64 + granule, in 32 bits: they live in the first
 * 2^26 pages (256 GiB) of a pool.
 */
#ifndef PRMEM_BUFFER_FORMAT_H
#define PRMEM_BUFFER_FORMAT_H

#include <assert.h>
#include <stddef.h>

#include "common/le.h"

#define BUFFER_MAGIC 0x6662u /* "bf" */
#define BUFFER_GRANULE_SHIFT 6
#define BUFFER_GRANULE_BYTES 64u
#define BUFFER_GRANULES_PER_PAGE 64u
#define BUFFER_PFN_LIMIT (1u << 26)

struct buffer_media {
	le32 magic;              /*  0: BUFFER_MAGIC */
	le32 len_bytes;          /*  4: of the content */
	le64 reserved;           /*  8: 0 */
	/* content               ** 16 */
};

static_assert(sizeof(struct buffer_media) == 16, "size of a buffer header");
static_assert(offsetof(struct buffer_media, magic) == 0, "buffer layout");
static_assert(offsetof(struct buffer_media, len_bytes) == 4, "buffer layout");
static_assert(offsetof(struct buffer_media, reserved) == 8, "buffer layout");

#endif
