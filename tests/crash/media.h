/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading an image as prmem-format(5) says, without the engine: superblocks,
 * directory, records, arrays, and every byte they reach.
 *
 * The invariants that are checked here (I1 ... are cited by messages):
 *  I1  at least one superblock copy is valid; of two, the newer one counts,
 *      and both agree about everything that a format settles
 *  I2  every slot of every reachable node is a hole of its place, or proves
 *      what it points to
 *  I3  every page, run, buffer and record has the content its slot proves
 *  I4  no page is reached twice, none is reached that has a fixed use, and
 *      none lies outside of the pool; buffers do not overlap
 *  I5  records have names that are valid and that no other one has
 *  I7  once a disk that is removed with a wipe cannot be reached any more,
 *      nothing that it held is left (I6, of free pages, is the judge's)
 *  I8  an added region that the superblock names begins with a header that
 *      says the same
 *  I9  a disk that says that it has replaced another one has that one's name;
 *      the other one is gone, whether its pages are or not
 */
#ifndef PRMEM_TESTS_MEDIA_H
#define PRMEM_TESTS_MEDIA_H

#include "prmem/format/record_format.h"
#include "prmem/format/superblock_format.h"
#include "tests/crash/content.h"
#include "tests/crash/explore.h"

#define MEDIA_MAX_PAGES 512u
#define MEDIA_MAX_INSTANCES 24u
#define MEDIA_MAX_ENTRIES 1024u

enum page_role { ROLE_FREE, ROLE_FIXED, ROLE_NODE, ROLE_PAGE, ROLE_RECORD, ROLE_BUFFERS };

struct media_entry {
	uint32_t idx;
	int32_t content;
	uint32_t pfn; /* of a page */
};

struct media_instance {
	uint32_t number;
	const struct record_media *rec; /* in the image */
	int32_t data; /* content of its data */
	bool removed; /* nobody can find it: unfinished, replaced, or to be wiped */
	bool wiped; /* as far as that came: nothing that it held proves itself any more */
	uint32_t first_entry, nr_entries;
	uint32_t last_node; /* the highest index at which a node of its array begins */
};

/* What a disk holds that will be wiped: page by page, where it lay. */
#define MEDIA_MAX_SECRET 8u

struct media_secret {
	uint8_t uuid[16]; /* of the disk */
	uint32_t nr;
	uint32_t pfn[MEDIA_MAX_SECRET];
	uint64_t words[MEDIA_MAX_SECRET][512];
};

/* What is known of a page whose stamp has not changed. */
struct media_memo {
	uint32_t node_stamp; /* as a node */
	uint32_t node_first;
	uint64_t node_key;
	uint64_t node_used[XA_CHUNK_SIZE / 64 + 1]; /* slots that are not holes */
	uint8_t node_level;
	uint32_t page_stamp; /* as a page at a place */
	uint64_t page_slot;
	uint64_t page_place;
	uint64_t page_hash;
	int32_t page_content;
	uint32_t record_stamp; /* as a record of this pool */
	uint32_t record_number;
	uint64_t record_slot;
	uint64_t record_hash;
	uint32_t sb_stamp; /* as a superblock */
	uint64_t sb_hash;
	bool sb_valid;
};

struct media {
	const uint8_t *image;
	uint32_t nr_pages;
	struct explorer *ex; /* or NULL: nothing is remembered */
	bool quiet; /* do not tell ex what is looked at */
	struct contents *contents;
	const struct media_secret *secret; /* or NULL */
	bool learn; /* put what is found into contents */

	bool formatted; /* there is a valid superblock */
	const struct sb_media *sb;
	bool copies_alike;
	uint64_t hash; /* of all that is reached */
	char wrong[200]; /* the first broken invariant; empty: none */
	uint32_t nr_reached; /* pages in use, fixed ones included */
	uint8_t role[MEDIA_MAX_PAGES];
	uint64_t granules[MEDIA_MAX_PAGES]; /* of a page of buffers: those in use */
	struct media_instance instances[MEDIA_MAX_INSTANCES];
	uint32_t nr_instances;
	uint32_t nr_removed; /* of these */
	uint32_t nr_unfinished;
	uint32_t nr_replacing; /* they say that they have replaced another one */
	struct media_entry entries[MEDIA_MAX_ENTRIES];
	uint32_t nr_entries;
	struct media_memo memo[MEDIA_MAX_PAGES];
};

/* media_walk() - read the image; fills everything from ->formatted on. */
void media_walk(struct media *media);

/* media_keep_secret() - remember what the pages of a disk hold, in an image that has been walked. */
void media_keep_secret(const struct media *media, const struct media_instance *inst, struct media_secret *ret_secret);

/* media_instance_named() - Return: NULL when there is none. */
const struct media_instance *media_instance_named(const struct media *media, const char *subsystem, const char *name);

#endif
