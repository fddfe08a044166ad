/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Repairing a pool: what its files share.
 *
 * Everything is put right by single 8-byte stores in place.  Nothing is
 * allocated: which pages are free is not known while a part of the index
 * cannot be read.
 */
#ifndef PRMEM_REPAIR_H
#define PRMEM_REPAIR_H

#include "prmem/check_types.h"
#include "prmem/instance.h"

/* A slot of the directory that could not be put right by itself. */
struct lost_slot {
	uint32_t number;
	uint32_t pfn; /* of the node it is in */
	pm_slot *slot;
};

struct repair {
	struct check *c;
	struct prmem_pool *pool;
	struct prmem_instance *inst; /* whose array it is; NULL: the directory */
	struct xarray *xa;
	uint64_t nr_pages_of_disk; /* indices from here on hold nothing */
	bool scrub;
	struct lost_slot *lost; /* of the directory */
	size_t nr_lost, max_lost;
	int error; /* ends it: what keep() said, -ENOMEM, -ECANCELED */
};

/*
 * repair_store() - put a word right.
 * @pfn: the page that it is in
 * Persistence: durable on return.
 * Return: false when the repair is to end (r->error).
 */
bool repair_store(struct repair *r, uint32_t pfn, pm_slot *word, uint64_t value);

/* repair_found() - remember what was done. */
void repair_found(struct repair *r, enum prmem_finding_kind kind, uint64_t idx, uint64_t nr, bool repaired,
		  const char *text);

/* repair_array() - put r->xa right, level by level. */
void repair_array(struct repair *r);

/*
 * repair_record_slot() - a slot of the directory that names a record, or is damaged.
 * What cannot be put right at once is noted in r->lost.
 */
void repair_record_slot(struct repair *r, uint32_t pfn, pm_slot *slot, uint32_t number);

/* repair_lost_records() - look for the records of the slots that were noted; give up what is not found. */
void repair_lost_records(struct repair *r);

#endif
