/* SPDX-License-Identifier: BSD-3-Clause */
/* Counting requests: the numbers of a disk, and of all of them. */
#include "prmem/stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "prmem/instance.h"

/* A thread's stripe of every disk, plus one; 0 is none yet.  Threads beyond the stripes share. */
static _Thread_local unsigned int thread_stripe;
static atomic_uint next_stripe;

unsigned int
stats_mine(void)
{
	if (UNLIKELY(thread_stripe == 0))
		thread_stripe = atomic_fetch_add_explicit(&next_stripe, 1, memory_order_relaxed) % STATS_NR_STRIPES + 1;
	return thread_stripe - 1;
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

static void
add_instance(struct prmem_stats *sum, struct prmem_instance *inst)
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
	add_instance(&inst->pool->gone_stats, inst);
	free(atomic_exchange(&inst->stats, NULL));
}

int
prmem_disk_stats(struct prmem_pool *pool, const char *name, struct prmem_stats *ret_stats)
{
	struct prmem_instance *inst;

	LOCK_FOR_SCOPE(&pool->dir->inst_lock);
	inst = instance_find_locked(pool->dir, PRMEM_SUBSYSTEM_RAMDISK, name);
	if (inst == NULL)
		return -ENOENT;
	memset(ret_stats, 0, sizeof *ret_stats);
	add_instance(ret_stats, inst);
	return 0;
}

void
prmem_pool_stats(struct prmem_pool *pool, struct prmem_stats *ret_stats)
{
	LOCK_FOR_SCOPE(&pool->dir->inst_lock);
	*ret_stats = pool->gone_stats;
	for (struct prmem_instance *inst = pool->dir->first; inst != NULL; inst = inst->next)
		add_instance(ret_stats, inst);
}
