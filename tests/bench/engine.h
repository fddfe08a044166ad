/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine's benchmark: what the engine does, beside the least that the
 * same machine must do for it, measured in turns in one process.
 */
#ifndef PRMEM_TESTS_BENCH_ENGINE_H
#define PRMEM_TESTS_BENCH_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/pm.h"
#include "prmem/prmem.h"

/* ---- measure.c ---- */

struct options {
	uint64_t disk_bytes;
	unsigned int rounds;
	double slice_s;
	const char *dir; /* where pools are made */
	const char *only; /* run what has this in its name; NULL for all */
	bool pmem;
	bool requests, pools; /* of what is timed */
	bool json;
};
extern struct options options;

/* Is it what --only asks for? */
bool wanted(const char *name);

double now_s(void);
/* The CPU time of this thread. */
double cpu_s(void);

/* End with a line that says what failed. */
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A generator that is cheap beside what it feeds. */
struct rng {
	uint64_t state;
};
uint64_t rng_next(struct rng *rng);
static inline uint32_t
rng_below(struct rng *rng, uint32_t n)
{
	return (uint32_t)((rng_next(rng) >> 32) * n >> 32);
}

/* struct work - something to be timed: do it @nr times. */
struct work {
	void (*run)(void *ctx, uint64_t nr);
	void *ctx;
};

/*
 * compare() - time two works in turns, slice by slice, and report medians and
 * the median of the ratios of neighbouring slices.
 * @bar: what the ratio may be at most; 0 for none
 */
void compare(const char *name, struct work engine, struct work limit, double bar);

/*
 * report() - a line of the result.
 * @limit: 0 when there is nothing to compare with
 * @bar: 0 for none; negative: the value must be at least -bar
 * @ratio: what the bar is for
 */
void report(const char *name, const char *unit, double engine, double limit, double ratio, double bar);

double median(double *values, size_t nr);

/* ---- engine_pages.c: what requests cost ---- */

struct bench {
	struct prmem_pool *pool;
	struct prmem_disk *disk;
	uint32_t nr_pages; /* of the disk */
	struct pm *limit; /* as many pages as the pool, and an index of 8 bytes a page behind them */
	uint32_t nr_limit_pages;
	char path[256]; /* the pool's */
	char limit_path[256];
	int limit_fd;
};

/* bench_fill() - write all of the disk, with content that is not zero. */
void bench_fill(struct prmem_disk *disk, uint64_t len_bytes);
struct prmem_pool *bench_open(const char *path, uint64_t size_bytes, unsigned int nr_threads);
void bench_pages(struct bench *b);

/* ---- engine_stores.c: against other stores ---- */

void bench_stores(struct bench *b);

/* ---- engine_threads.c ---- */

void bench_threads(struct bench *b);

/* ---- engine_open.c: what a pool costs ---- */

/* bench_remove_pool() - remove the file that these made.  Context: any, a signal handler too. */
void bench_remove_pool(void);
void bench_open_time(void);
/* bench_open_and_die() - open a pool and be killed: for a process of bench_open_time()'s. */
void bench_open_and_die(const char *its_path);
void bench_space(void);
void bench_dram(void);

#endif
