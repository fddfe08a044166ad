/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checking and repairing a pool: what their files share.
 */
#ifndef PRMEM_CHECK_H
#define PRMEM_CHECK_H

#include "prmem/instance.h"

/* Indices that one read lock covers: the nodes and slots of 1 GiB of disk. */
#define CHECK_RANGE_SHIFT 18

/* Where something is reached from. */
struct check_place {
	struct prmem_instance *inst; /* NULL: the directory */
	uint32_t pfn;
	uint32_t idx; /* for a node, its first */
	unsigned int level; /* of a node; CHECK_ENTRY, CHECK_DATA */
};

#define CHECK_ENTRY 255u
#define CHECK_DATA 254u

/* A finding that waits: for its neighbours, or for a read lock to end. */
struct check_found {
	enum prmem_finding_kind kind;
	struct prmem_instance *inst; /* NULL: none */
	uint64_t idx, nr; /* indices; for the pool's own, anything */
	bool repaired;
	const char *text; /* lives for ever */
};

struct check {
	struct prmem_pool *pool;
	const struct prmem_check_args *args;
	struct prmem_check_result *result;
	struct prmem_instance **insts; /* held */
	uint32_t nr_insts;

	uint64_t *reached; /* a bit a page, or NULL: not counted */
	uint64_t *buffers; /* pages that were reached as buffers */
	uint64_t nr_words;

	uint64_t *twice; /* pages that were met again, or NULL */
	struct check_place *places; /* in the second round: where they are */
	size_t nr_places, max_places;

	struct check_found *found; /* not yet reported */
	size_t nr_found, max_found;
	bool no_memory;

	uint64_t done, total;
	uint64_t scrub_started_ns;
};

/* check_take_args() - the caller's arguments, or none.  Return: 0, -E2BIG, -EINVAL. */
MUST_CHECK int check_take_args(struct prmem_check_args *known, const struct prmem_check_args *args, size_t args_bytes,
			       struct prmem_error *err);

/* check_begin() - hold the instances that are to be looked at.  Return: 0, -ENOENT, -ENOMEM. */
MUST_CHECK int check_begin(struct check *c, struct prmem_pool *pool, const struct prmem_check_args *args,
			   struct prmem_check_result *result, struct prmem_error *err);
void check_end(struct check *c);

/* check_found() - remember a finding.  Context: any. */
void check_found(struct check *c, const struct check_found *found);

/* check_tell() - report what was found.  Context: no lock held. */
void check_tell(struct check *c);

/* check_hold() - look at an instance, too, that came to light meanwhile.  Return: 0, -ENOMEM. */
MUST_CHECK int check_hold(struct check *c, struct prmem_instance *inst);

/* check_copy_page() - copy a page of the pool that may be unreadable.  Return: false if it is. */
MUST_CHECK bool check_copy_page(struct prmem_pool *pool, uint32_t pfn, void *ret_page);

/* check_tick() - so many pages were looked at.  Context: no lock held.  Return: 0, -ECANCELED. */
MUST_CHECK int check_tick(struct check *c, uint64_t nr);

/* check_superblocks() - both copies, and the headers of regions. */
void check_superblocks(struct check *c);

/* check_structure() - the directory and all arrays.  Return: 0, -ECANCELED, -ENOMEM. */
MUST_CHECK int check_structure(struct check *c);

/* check_scrub() - all content.  Return: 0, -ECANCELED. */
MUST_CHECK int check_scrub(struct check *c);

/*
 * check_content() - does what an entry refers to match its proof?
 * Context: no lock held.
 * Return: 1 if it does; 0 if the index holds something else by now; -EIO; or
 *   -EFAULT when the memory cannot be read.
 */
MUST_CHECK int check_content(struct prmem_instance *inst, uint32_t idx, xa_entry_t entry, uint64_t *ret_bytes);

/* check_data() - the same for an instance's data; 1 also where there is none.  Context: inst_lock. */
MUST_CHECK int check_data(struct prmem_instance *inst);

#endif
