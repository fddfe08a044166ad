/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Media format: the owner record, page SB_PFN_OWNER.  Who has the pool open
 * for writing; a torn or damaged record counts as none.  It backs up flock(),
 * which does not exclude a second device node of the same memory.
 */
#ifndef PRMEM_OWNER_FORMAT_H
#define PRMEM_OWNER_FORMAT_H

#include <assert.h>
#include <stddef.h>

#include "common/le.h"

#define OWNER_MAGIC UINT64_C(0x0a72656e776f6d70) /* "pmowner\n" */

struct owner_media {
	le64 magic;              /*  0: OWNER_MAGIC */
	uint8_t boot_id[16];     /*  8: of the boot it runs in */
	le64 pid;                /* 24: 0 after a clean close */
	le64 start_time;         /* 32: of the process, clock ticks since boot */
	le64 nonce;              /* 40: random, of this open */
	le64 opened_s;           /* 48: seconds since 1970 */
	le32 reserved;           /* 56: 0 */
	le32 crc;                /* 60: CRC-32C of bytes 0 to 59 */
};

static_assert(sizeof(struct owner_media) == 64, "an owner record is a cache line");
static_assert(offsetof(struct owner_media, magic) == 0, "owner layout");
static_assert(offsetof(struct owner_media, boot_id) == 8, "owner layout");
static_assert(offsetof(struct owner_media, pid) == 24, "owner layout");
static_assert(offsetof(struct owner_media, start_time) == 32, "owner layout");
static_assert(offsetof(struct owner_media, nonce) == 40, "owner layout");
static_assert(offsetof(struct owner_media, opened_s) == 48, "owner layout");
static_assert(offsetof(struct owner_media, reserved) == 56, "owner layout");
static_assert(offsetof(struct owner_media, crc) == 60, "owner layout");

#endif
