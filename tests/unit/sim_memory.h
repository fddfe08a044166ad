/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A simulated memory for the tests of xarray/: pages in an arena, and entries
 * that stand for pages of data and are only counted.
 *
 * It sees leaks, double frees and use after free (a freed node is poisoned as
 * soon as the read locks of the time are over).  It fails on demand.
 *
 * With sim_track() it also keeps what is certain to be durable: what each
 * thread copied or flushed, and fenced itself.  Then it checks by itself that
 * no link is stored before what it leads to is durable, and that nothing is
 * freed that the durable tree still reaches; sim_durable_array() opens what a
 * power failure would leave at the least.
 */
#ifndef PRMEM_TESTS_SIM_MEMORY_H
#define PRMEM_TESTS_SIM_MEMORY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "xarray/xa_internal.h"

#define SIM_LINEAGE UINT64_C(0x123456789abcdef)

#define SIM_SITE_MAP PM_NR_SITES

struct sim_tracker;

struct sim_memory {
	struct pm pm; /* first: pm operations are handed this */
	char *arena;
	uint32_t nr_pages;
	pthread_mutex_t lock;
	unsigned char *page_state; /* under lock */
	uint32_t nr_nodes; /* pages in use, under lock */
	uint32_t retired[64]; /* waiting for a grace period, under lock */
	unsigned int nr_retired;
	unsigned int retire_batch; /* how many wait before they are poisoned; 1: none */
	_Atomic unsigned char *objects;
	_Atomic uint32_t next_object;
	_Atomic int64_t nr_objects; /* live */

	/* What xarray published last. */
	uint64_t root;
	unsigned int height;

	/* Faults: the n-th call from now on and all later ones fail; -1 never. */
	int alloc_fails_in;
	int set_root_fails_in;
	int set_root_error;

	_Atomic uint64_t nr_maps, nr_allocs, nr_set_roots;
	_Atomic uint64_t nr_at_site[PM_NR_SITES];
	/* Called before each operation of pm at a site, and at SIM_SITE_MAP for each page that is mapped; or NULL. */
	void (*hook)(void *opaque, enum pm_site site);
	void *hook_opaque;
	struct sim_tracker *tracker;
	int skipped_site; /* tracked: a flush, fence or copy that is left out; -1 none */
};

extern const struct xa_memory_ops sim_memory_ops;

void sim_init(struct sim_memory *sim, uint32_t nr_pages);
void sim_fini(struct sim_memory *sim);

/* Open the array that was published last. */
void sim_open(struct sim_memory *sim, struct xarray *xa);

/* A new page of data, as an entry; and its end, when its owner gives it back. */
xa_entry_t sim_new_entry(struct sim_memory *sim);
void sim_free_entry(struct sim_memory *sim, xa_entry_t entry);
/* Is it live, or at least not yet beyond a grace period? */
bool sim_entry_is_whole(struct sim_memory *sim, xa_entry_t entry);

/* Make the leaves for a range of indices that holds nothing: an entry is stored in each, and erased. */
void sim_make_leaves(struct xarray *xa, uint32_t first, uint32_t last);

/* Are just those nodes and pages in use that the array reaches?  Nobody else uses it. */
void sim_check_leaks(struct sim_memory *sim, struct xarray *xa);
/* Is nothing in use at all? */
void sim_check_empty(struct sim_memory *sim);

/* The place of a node's slots in memory, for damage: the slot of @level with @idx in it. */
pm_slot *sim_slot(struct sim_memory *sim, struct xarray *xa, unsigned int level, uint32_t idx);

void sim_track(struct sim_memory *sim);
/* Open what is durable; close with xa_fini().  Only to be read. */
void sim_durable_array(struct sim_memory *sim, struct xarray *xa);

/* ---- between the two files ---- */

enum { SIM_PAGE_FREE, SIM_PAGE_USED, SIM_PAGE_RETIRED };
enum { SIM_OBJECT_NONE, SIM_OBJECT_LIVE, SIM_OBJECT_FREED, SIM_OBJECT_GONE };
#define SIM_MAX_OBJECTS (1u << 18)

extern const struct pm_ops sim_pm_ops, sim_tracked_pm_ops;
void sim_tracker_free(struct sim_memory *sim);
/* Tracked: is the tree below a root durable as it is; what is freed unreachable? */
void sim_check_root_durable(struct sim_memory *sim, uint64_t root, unsigned int height);
void sim_check_node_unreachable(struct sim_memory *sim, uint32_t pfn);
void sim_check_entry_unreachable(struct sim_memory *sim, xa_entry_t entry);

#endif
