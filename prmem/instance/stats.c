/* SPDX-License-Identifier: BSD-3-Clause */
/* Counting requests: the numbers of a disk, and of all of them. */
#include "prmem/instance/stats.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "prmem/instance/instance_types.h"

_Thread_local unsigned int stats_thread_stripe;

static atomic_uint taken; /* stripes that belong to a thread, a bit each */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* its destructor sees threads end */
static atomic_bool key_is_made;

static_assert(STATS_NR_STRIPES <= 32, "a bit each");

static void
give_back_stripe(void *opaque)
{
	unsigned int mine = stats_thread_stripe - 1;

	(void)opaque;
	/* For whatever else this thread does while it ends. */
	stats_thread_stripe = STATS_SHARED + 1;
	/* The next owner sees what was counted. */
	atomic_fetch_and_explicit(&taken, ~(1u << mine), memory_order_release);
}

static void
make_key(void)
{
	atomic_store(&key_is_made, pthread_key_create(&key, give_back_stripe) == 0);
}

/* The library may be unloaded while threads live on. */
__attribute__((destructor)) static void
remove_key(void)
{
	if (atomic_exchange(&key_is_made, false))
		pthread_key_delete(key);
}

void
stats_take_stripe(void)
{
	unsigned int old, mine;

	stats_thread_stripe = STATS_SHARED + 1;
	pthread_once(&once, make_key);
	/* Any value but NULL: with that the destructor would not be called. */
	if (!atomic_load(&key_is_made) || pthread_setspecific(key, &key) != 0)
		return;
	old = atomic_load_explicit(&taken, memory_order_relaxed);
	do {
		mine = (unsigned int)__builtin_ctz(~old | 1u << STATS_SHARED);
		if (mine == STATS_SHARED) {
			pthread_setspecific(key, NULL);
			return;
		}
	} while (!atomic_compare_exchange_weak_explicit(&taken, &old, old | 1u << mine, memory_order_acquire,
							memory_order_relaxed));
	stats_thread_stripe = mine + 1;
}

void
stats_attach(struct prmem_instance *inst)
{
	struct stats *none = NULL, *stats;

	if (atomic_load(&inst->stats) != NULL)
		return;
	stats = aligned_alloc(_Alignof(struct stats), sizeof *stats);
	if (stats == NULL)
		return;
	memset(stats, 0, sizeof *stats);
	if (!atomic_compare_exchange_strong(&inst->stats, &none, stats))
		free(stats);
}

static uint64_t
get(_Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void
add_op(struct prmem_op_stats *sum, struct stats_counters *c)
{
	sum->nr += get(&c->nr);
	sum->bytes += get(&c->bytes);
	sum->nr_errors += get(&c->nr_errors);
	for (unsigned int i = 0; i < PRMEM_LATENCY_BUCKETS; i++)
		sum->latency[i] += get(&c->latency[i]);
}

void
stats_add_instance(struct prmem_stats *sum, struct prmem_instance *inst)
{
	struct stats *stats = atomic_load(&inst->stats);

	sum->nr_crc_errors += get(&inst->nr_crc_errors);
	for (unsigned int i = 0; stats != NULL && i < STATS_NR_STRIPES; i++) {
		add_op(&sum->read, &stats->stripes[i].op[STATS_READ]);
		add_op(&sum->write, &stats->stripes[i].op[STATS_WRITE]);
		add_op(&sum->trim, &stats->stripes[i].op[STATS_TRIM]);
	}
}

void
stats_detach(struct prmem_instance *inst)
{
	stats_add_instance(&inst->pool->gone_stats, inst);
	free(atomic_exchange(&inst->stats, NULL));
}
