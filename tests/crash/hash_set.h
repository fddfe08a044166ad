/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A set of 64-bit hashes.
 */
#ifndef PRMEM_TESTS_HASH_SET_H
#define PRMEM_TESTS_HASH_SET_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mix64.h"

struct hash_set {
	uint64_t *slots; /* 0: free */
	size_t nr_slots; /* a power of two */
	size_t nr;
};

static inline bool
hash_set_put(struct hash_set *set, uint64_t hash)
{
	size_t i;

	if (hash == 0)
		hash = 1;
	if (2 * (set->nr + 1) > set->nr_slots) {
		struct hash_set bigger = {.nr_slots = set->nr_slots ? 2 * set->nr_slots : 1024};

		bigger.slots = calloc(bigger.nr_slots, sizeof *bigger.slots);
		if (!bigger.slots)
			abort();
		for (i = 0; i < set->nr_slots; i++)
			if (set->slots[i])
				hash_set_put(&bigger, set->slots[i]);
		free(set->slots);
		*set = bigger;
	}
	for (i = mix64(hash) & (set->nr_slots - 1); set->slots[i]; i = (i + 1) & (set->nr_slots - 1))
		if (set->slots[i] == hash)
			return false;
	set->slots[i] = hash;
	set->nr++;
	return true;
}

static inline void
hash_set_clear(struct hash_set *set)
{
	if (set->nr)
		memset(set->slots, 0, set->nr_slots * sizeof *set->slots);
	set->nr = 0;
}

static inline void
hash_set_free(struct hash_set *set)
{
	free(set->slots);
	memset(set, 0, sizeof *set);
}

#endif
