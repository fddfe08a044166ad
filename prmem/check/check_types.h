/* SPDX-License-Identifier: BSD-3-Clause */
/* Checking and repairing a pool: what their files share. */
#ifndef PRMEM_CHECK_TYPES_H
#define PRMEM_CHECK_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prmem/prmem.h"

struct prmem_instance;
struct prmem_pool;

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

#endif
