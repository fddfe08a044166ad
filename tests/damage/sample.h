/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sample pool that is damaged, what is in it, and to what each 8 bytes of
 * it belong.
 */
#ifndef PRMEM_TESTS_SAMPLE_H
#define PRMEM_TESTS_SAMPLE_H

#include "tests/damage/mem_pool.h"

#define SAMPLE_BYTES (256u << 10)
#define SAMPLE_WORDS (SAMPLE_BYTES / 8)
#define SAMPLE_MAX_ITEMS 64u
#define SAMPLE_NR_INSTANCES 3u /* in the order of the directory */

enum sample_instance { SAMPLE_A, SAMPLE_B, SAMPLE_I };

/* Something that can be read: a page of a disk, an entry of an instance, or its data. */
struct sample_item {
	uint32_t inst;
	uint32_t idx; /* SAMPLE_DATA: the instance's data */
	uint32_t len_bytes;
	bool is_value;
	uint32_t value;
	uint8_t content[4 * MEM_POOL_PAGE]; /* as it is to be read */
	uint8_t older[MEM_POOL_PAGE]; /* what the page held before */
};

#define SAMPLE_DATA UINT32_MAX

enum part_kind {
	PART_NONE, /* of nothing that can be read */
	PART_SB_A,
	PART_SB_B,
	PART_CONTENT, /* of what the entry at first points to */
	PART_SLOT, /* the slot of [first, last] in an instance's array */
	PART_DATA, /* of an instance's data */
	PART_RECORD, /* of an instance's record */
	PART_DIR_SLOT, /* of instance first; beyond the last one: of none */
};

/* What the 8 bytes at a place belong to. */
struct part {
	enum part_kind kind;
	uint32_t inst;
	uint32_t first, last;
};

struct sample {
	struct mem_pm mem;
	struct sample_item items[SAMPLE_MAX_ITEMS];
	uint32_t nr_items;
	uint64_t size_bytes[SAMPLE_NR_INSTANCES]; /* of the disks */
	struct part parts[SAMPLE_WORDS];
	uint8_t pristine[SAMPLE_BYTES];
	uint32_t content_pfn[SAMPLE_MAX_ITEMS]; /* where an item's page lies; 0: not a page */
	uint32_t leaf_pfn[8], nr_leaves;
	uint8_t older_leaf[MEM_POOL_PAGE]; /* leaf_pfn[0] before its last write */
};

extern const char *const sample_names[SAMPLE_NR_INSTANCES];

/* sample_make() - make the pool, close it, and read it as prmem-format(5) says. */
void sample_make(struct sample *s);

/* sample_item() - Return: what is at an index; NULL: a hole. */
const struct sample_item *sample_item(const struct sample *s, uint32_t inst, uint32_t idx);

#endif
