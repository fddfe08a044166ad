/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Media format: the record of an instance, one page.  It is never changed in
 * place: a change writes a new one and publishes it in the directory, whose
 * slot (kind page) carries its proof, which covers bytes 0 to 4091.  The CRC
 * inside is for finding records without the directory.
 */
#ifndef PRMEM_RECORD_FORMAT_H
#define PRMEM_RECORD_FORMAT_H

#include <assert.h>
#include <stddef.h>

#include "common/le.h"

#define RECORD_MAGIC UINT64_C(0x0a74736e696d7270) /* "prminst\n" */
#define RECORD_VERSION 1u

#define RECORD_FLAG_READ_ONLY 1u /* a disk that may not be written */
#define RECORD_FLAG_RESERVE 2u   /* room for all of it is promised */
#define RECORD_FLAG_REMOVED 4u   /* removed: only its pages have still to be wiped */
#define RECORD_FLAG_UNFINISHED 8u /* nobody has its name yet: it is being filled, and goes with a crash */
#define RECORD_FLAG_REPLACES 16u /* it has taken the name of the one in replaces, which goes */
#define RECORD_FLAGS_KNOWN 31u

struct record_media {
	le64 magic;              /*    0: RECORD_MAGIC */
	le32 version;            /*    8: RECORD_VERSION */
	le32 flags;              /*   12: RECORD_FLAG_... */
	uint8_t uuid[16];        /*   16: of the instance */
	le64 origin;             /*   32: of its array; a clone inherits it */
	le64 size_bytes;         /*   40: of a disk, else 0 */
	le64 created_s;          /*   48: seconds since 1970 */
	le64 changed_s;          /*   56: seconds since 1970 */
	le64 root;               /*   64: root slot of its array, or 0 */
	le32 height;             /*   72: height of its array */
	le32 reserved1;          /*   76: 0 */
	le64 data;               /*   80: slot of its data (page, run, buffer), or 0 */
	le64 data_bytes;         /*   88: length of its data */
	uint8_t replaces[16];    /*   96: UUID of the instance that it has replaced; with a flag only */
	uint8_t reserved2[16];   /*  112: 0 */
	char subsystem[64];      /*  128: NUL-terminated */
	char name[64];           /*  192: NUL-terminated */
	char description[256];   /*  256: NUL-terminated */
	uint8_t reserved3[3580]; /*  512: 0 */
	le32 crc;                /* 4092: CRC-32C of bytes 0 to 4091 */
};

static_assert(sizeof(struct record_media) == 4096, "a record is a page");
static_assert(offsetof(struct record_media, magic) == 0, "record layout");
static_assert(offsetof(struct record_media, version) == 8, "record layout");
static_assert(offsetof(struct record_media, flags) == 12, "record layout");
static_assert(offsetof(struct record_media, uuid) == 16, "record layout");
static_assert(offsetof(struct record_media, origin) == 32, "record layout");
static_assert(offsetof(struct record_media, size_bytes) == 40, "record layout");
static_assert(offsetof(struct record_media, created_s) == 48, "record layout");
static_assert(offsetof(struct record_media, changed_s) == 56, "record layout");
static_assert(offsetof(struct record_media, root) == 64, "record layout");
static_assert(offsetof(struct record_media, height) == 72, "record layout");
static_assert(offsetof(struct record_media, reserved1) == 76, "record layout");
static_assert(offsetof(struct record_media, data) == 80, "record layout");
static_assert(offsetof(struct record_media, data_bytes) == 88, "record layout");
static_assert(offsetof(struct record_media, replaces) == 96, "record layout");
static_assert(offsetof(struct record_media, reserved2) == 112, "record layout");
static_assert(offsetof(struct record_media, subsystem) == 128, "record layout");
static_assert(offsetof(struct record_media, name) == 192, "record layout");
static_assert(offsetof(struct record_media, description) == 256, "record layout");
static_assert(offsetof(struct record_media, reserved3) == 512, "record layout");
static_assert(offsetof(struct record_media, crc) == 4092, "record layout");

#endif
