/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counting requests.  Each disk that was ever opened has counters, in
 * stripes, so that threads do not fight over a cache line.
 *
 * All stripes but the last belong to one thread each, from its first request
 * until it ends: it adds by a load and a store.  An atomic addition behind a
 * write would wait until the processor has drained what was flushed.  Threads
 * for whom none is left share the last one.
 */
#ifndef PRMEM_STATS_H
#define PRMEM_STATS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "common/compiler.h"
#include "prmem/prmem.h"

struct prmem_instance;

#define STATS_NR_STRIPES 32u
#define STATS_SHARED (STATS_NR_STRIPES - 1)
#define STATS_SAMPLE_MASK 7u /* one request in eight is timed, */
#define STATS_SAMPLE_BYTES (64u << 10) /* and each one from here on: the clock is cheap beside it */

enum stats_op { STATS_READ, STATS_WRITE, STATS_TRIM, STATS_NR_OPS };

struct stats_counters {
	_Atomic uint64_t nr;
	_Atomic uint64_t bytes;
	_Atomic uint64_t nr_errors;
	_Atomic uint64_t latency[PRMEM_LATENCY_BUCKETS];
};

struct stats_stripe {
	_Alignas(128) struct stats_counters op[STATS_NR_OPS];
};

struct stats {
	struct stats_stripe stripes[STATS_NR_STRIPES];
};

/* A request under way. */
struct stats_request {
	struct stats_counters *counters; /* NULL: not counted */
	uint64_t started_ns; /* 0: not timed */
	bool shared; /* other threads may add to these counters */
};

/* stats_attach() - give a disk its counters; without memory it is not counted. */
void stats_attach(struct prmem_instance *inst);

/* stats_add_instance() - add the numbers of an instance to a sum. */
void stats_add_instance(struct prmem_stats *sum, struct prmem_instance *inst);

/* stats_detach() - add an instance's numbers to those of the pool, and free them.  Context: inst_lock, or close. */
void stats_detach(struct prmem_instance *inst);

/* The thread's stripe of every disk, plus one; 0: none yet. */
extern _Thread_local unsigned int stats_thread_stripe __attribute__((tls_model("initial-exec")));

/* stats_take_stripe() - give the thread one. */
void stats_take_stripe(void);

static inline unsigned int
stats_mine(void)
{
	if (UNLIKELY(stats_thread_stripe == 0))
		stats_take_stripe();
	return stats_thread_stripe - 1;
}

static inline void
stats_add(_Atomic uint64_t *counter, uint64_t n, bool shared)
{
	if (UNLIKELY(shared))
		atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
	else
		atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
				      memory_order_relaxed);
}

static inline uint64_t
stats_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

/* stats_begin() - a request begins; @stats may be NULL. */
static inline struct stats_request
stats_begin(struct stats *stats, enum stats_op op, uint64_t len_bytes)
{
	struct stats_request request = {0};
	unsigned int mine;

	if (UNLIKELY(stats == NULL))
		return request;
	mine = stats_mine();
	request.counters = &stats->stripes[mine].op[op];
	request.shared = mine == STATS_SHARED;
	if ((atomic_load_explicit(&request.counters->nr, memory_order_relaxed) & STATS_SAMPLE_MASK) == 0 ||
	    len_bytes >= STATS_SAMPLE_BYTES)
		request.started_ns = stats_now_ns();
	return request;
}

/* stats_end() - it ended with @r. */
static inline void
stats_end(const struct stats_request *request, uint64_t len_bytes, int r)
{
	struct stats_counters *c = request->counters;

	if (UNLIKELY(c == NULL))
		return;
	if (UNLIKELY(r < 0)) {
		stats_add(&c->nr_errors, 1, request->shared);
		return;
	}
	stats_add(&c->nr, 1, request->shared);
	stats_add(&c->bytes, len_bytes, request->shared);
	if (request->started_ns != 0) {
		uint64_t ns = stats_now_ns() - request->started_ns;
		unsigned int bucket = ns == 0 ? 0 : 63 - (unsigned int)__builtin_clzll(ns);

		bucket = MIN(bucket, PRMEM_LATENCY_BUCKETS - 1);
		stats_add(&c->latency[bucket], 1, request->shared);
	}
}

#endif
