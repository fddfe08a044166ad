/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Media format: the superblock and its table of regions.
 *
 * Fixed places in region 0, by page number:
 *	 0	superblock, copy A
 *	 1	owner record (owner_format.h)
 *	32	superblock, copy B
 * Both copies are the same but for a moment: a change writes B with the next
 * sequence number, fences, writes A, fences.  Open takes the valid copy with
 * the higher number and makes the other one like it.
 */
#ifndef PRMEM_SUPERBLOCK_FORMAT_H
#define PRMEM_SUPERBLOCK_FORMAT_H

#include <assert.h>
#include <stddef.h>

#include "common/le.h"

#define SB_PFN_A 0u
#define SB_PFN_OWNER 1u
#define SB_PFN_B 32u

#define SB_MAGIC UINT64_C(0x1a0a6d656d72701b)   /* "\x1bprmem\n\x1a" */
#define SB_MAGIC_FORMATTING UINT64_C(0x1a0a54414d52461b) /* "\x1b" "FRMAT\n\x1a": a format was interrupted */
#define SB_VERSION 1u
#define SB_MAX_REGIONS 16u

/* Feature bits this version knows.  None is set yet. */
#define SB_COMPAT_KNOWN UINT64_C(0)
#define SB_RO_COMPAT_KNOWN UINT64_C(0)
#define SB_INCOMPAT_KNOWN UINT64_C(0)

struct sb_region_media {
	le64 start_pfn;          /*    0: first page number */
	le64 nr_pages;           /*    8: 4 KiB pages */
	uint8_t uuid[16];        /*   16: of the region; all zero for region 0 */
	le32 flags;              /*   32: 0 */
	le32 reserved1;          /*   36: 0 */
	char path[128];          /*   40: where it was last seen, NUL-terminated; empty for region 0 */
	uint8_t reserved2[24];   /*  168: 0 */
};

static_assert(sizeof(struct sb_region_media) == 192, "size of a region entry");
static_assert(offsetof(struct sb_region_media, start_pfn) == 0, "region layout");
static_assert(offsetof(struct sb_region_media, nr_pages) == 8, "region layout");
static_assert(offsetof(struct sb_region_media, uuid) == 16, "region layout");
static_assert(offsetof(struct sb_region_media, flags) == 32, "region layout");
static_assert(offsetof(struct sb_region_media, reserved1) == 36, "region layout");
static_assert(offsetof(struct sb_region_media, path) == 40, "region layout");
static_assert(offsetof(struct sb_region_media, reserved2) == 168, "region layout");

struct sb_media {
	le64 magic;              /*    0: SB_MAGIC */
	le32 version;            /*    8: SB_VERSION of the writer */
	le32 chunk_shift;        /*   12: index bits a node resolves: 9 */
	uint8_t uuid[16];        /*   16: of the pool; seeds every proof */
	le64 seq;                /*   32: sequence number of this copy, from 1 */
	le64 compat;             /*   40: feature bits that may be ignored */
	le64 ro_compat;          /*   48: feature bits that allow reading when unknown */
	le64 incompat;           /*   56: feature bits that forbid opening when unknown */
	le64 created_s;          /*   64: seconds since 1970 */
	le64 nr_pages;           /*   72: of all regions */
	le64 grow_to_pages;      /*   80: a growth of region 0 under way, or 0 */
	le64 dir_root;           /*   88: root slot of the directory, or 0 */
	le32 dir_height;         /*   96: its height */
	le32 nr_regions;         /*  100: entries in use, at least 1 */
	uint8_t reserved1[24];   /*  104: 0 */
	char label[64];          /*  128: NUL-terminated */
	uint8_t reserved2[64];   /*  192: 0 */
	struct sb_region_media regions[SB_MAX_REGIONS]; /* 256 */
	uint8_t reserved3[764];  /* 3328: 0 */
	le32 crc;                /* 4092: CRC-32C of bytes 0 to 4091 */
};

static_assert(sizeof(struct sb_media) == 4096, "size of the superblock");
static_assert(offsetof(struct sb_media, magic) == 0, "superblock layout");
static_assert(offsetof(struct sb_media, version) == 8, "superblock layout");
static_assert(offsetof(struct sb_media, chunk_shift) == 12, "superblock layout");
static_assert(offsetof(struct sb_media, uuid) == 16, "superblock layout");
static_assert(offsetof(struct sb_media, seq) == 32, "superblock layout");
static_assert(offsetof(struct sb_media, compat) == 40, "superblock layout");
static_assert(offsetof(struct sb_media, ro_compat) == 48, "superblock layout");
static_assert(offsetof(struct sb_media, incompat) == 56, "superblock layout");
static_assert(offsetof(struct sb_media, created_s) == 64, "superblock layout");
static_assert(offsetof(struct sb_media, nr_pages) == 72, "superblock layout");
static_assert(offsetof(struct sb_media, grow_to_pages) == 80, "superblock layout");
static_assert(offsetof(struct sb_media, dir_root) == 88, "superblock layout");
static_assert(offsetof(struct sb_media, dir_height) == 96, "superblock layout");
static_assert(offsetof(struct sb_media, nr_regions) == 100, "superblock layout");
static_assert(offsetof(struct sb_media, reserved1) == 104, "superblock layout");
static_assert(offsetof(struct sb_media, label) == 128, "superblock layout");
static_assert(offsetof(struct sb_media, reserved2) == 192, "superblock layout");
static_assert(offsetof(struct sb_media, regions) == 256, "superblock layout");
static_assert(offsetof(struct sb_media, reserved3) == 3328, "superblock layout");
static_assert(offsetof(struct sb_media, crc) == 4092, "superblock layout");

#endif
