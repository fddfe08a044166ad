/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Media format: the header of an added region, its first page (which is then
 * no page of the pool's that can be handed out).  Region 0 has the superblock
 * instead.
 */
#ifndef PRMEM_REGION_FORMAT_H
#define PRMEM_REGION_FORMAT_H

#include <assert.h>
#include <stddef.h>

#include "common/le.h"

#define REGION_MAGIC UINT64_C(0x0a6e67726d72701b) /* "\x1bprmrgn\n" */

struct region_media {
	le64 magic;              /*    0: REGION_MAGIC */
	le32 version;            /*    8: SB_VERSION */
	le32 number;             /*   12: place in the superblock's table */
	uint8_t pool_uuid[16];   /*   16: the pool it belongs to */
	uint8_t uuid[16];        /*   32: its own */
	le64 start_pfn;          /*   48: its first page number */
	le64 nr_pages;           /*   56: its length in pages */
	uint8_t reserved[4028];  /*   64: 0 */
	le32 crc;                /* 4092: CRC-32C of bytes 0 to 4091 */
};

static_assert(sizeof(struct region_media) == 4096, "size of a region header");
static_assert(offsetof(struct region_media, magic) == 0, "region layout");
static_assert(offsetof(struct region_media, version) == 8, "region layout");
static_assert(offsetof(struct region_media, number) == 12, "region layout");
static_assert(offsetof(struct region_media, pool_uuid) == 16, "region layout");
static_assert(offsetof(struct region_media, uuid) == 32, "region layout");
static_assert(offsetof(struct region_media, start_pfn) == 48, "region layout");
static_assert(offsetof(struct region_media, nr_pages) == 56, "region layout");
static_assert(offsetof(struct region_media, reserved) == 64, "region layout");
static_assert(offsetof(struct region_media, crc) == 4092, "region layout");

#endif
