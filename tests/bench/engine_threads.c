/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two threads against one: half reads, half writes of 4 KiB.  How far two
 * threads get depends on the machine too: its own copies are timed beside.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "tests/bench/engine.h"

#define NR_OPS_A_CHECK 16

struct team;

struct member {
	struct team *team;
	pthread_t thread;
	struct rng rng;
	char *buf;
	uint64_t stamp;
	uint32_t first, nr_pages; /* where it works */
	uint64_t nr_done;
	uint32_t crc;
};

struct team {
	struct bench *b;
	struct member members[2];
	pthread_barrier_t barrier;
	void (*op)(struct member *m);
	unsigned int nr_working;
	atomic_bool stop, end;
};

static uint32_t
any_page(struct member *m)
{
	return m->first + rng_below(&m->rng, m->nr_pages);
}

static void
engine_op(struct member *m)
{
	uint64_t off = any_page(m) * PRMEM_PAGE_SIZE;
	char *buf = m->buf + m->stamp % 16 * PRMEM_PAGE_SIZE;
	int r;

	*(uint64_t *)(void *)buf = ++m->stamp;
	if (m->stamp % 2 == 0)
		r = prmem_disk_read(m->team->b->disk, m->buf, PRMEM_PAGE_SIZE, off);
	else
		r = prmem_disk_write(m->team->b->disk, buf, PRMEM_PAGE_SIZE, off);
	if (r < 0)
		die("a request failed");
}

static void
limit_op(struct member *m)
{
	const enum pm_site site = (enum pm_site)0;
	struct bench *b = m->team->b;
	struct pm *pm = b->limit;
	char *page = (char *)pm->base + any_page(m) * PRMEM_PAGE_SIZE;
	char *buf = m->buf + m->stamp % 16 * PRMEM_PAGE_SIZE;
	pm_slot *slot;

	*(uint64_t *)(void *)buf = ++m->stamp;
	if (m->stamp % 2 == 0) {
		memcpy(m->buf, page, PRMEM_PAGE_SIZE);
		m->crc += crc32c(0, m->buf, PRMEM_PAGE_SIZE);
		return;
	}
	slot = (pm_slot *)(void *)((char *)pm->base + b->nr_limit_pages * PRMEM_PAGE_SIZE) + any_page(m);
	m->crc += crc32c(0, buf, PRMEM_PAGE_SIZE);
	pm_copy(pm, page, buf, PRMEM_PAGE_SIZE, site);
	pm_fence(pm, site);
	pm_store(pm, slot, m->stamp, site);
	pm_flush(pm, slot, sizeof *slot, site);
	pm_fence(pm, site);
}

static void
work_until_stopped(struct member *m)
{
	while (!atomic_load_explicit(&m->team->stop, memory_order_relaxed)) {
		for (int i = 0; i < NR_OPS_A_CHECK; i++)
			m->team->op(m);
		m->nr_done += NR_OPS_A_CHECK;
	}
}

static void *
member_run(void *opaque)
{
	struct member *m = opaque;
	struct team *team = m->team;

	for (;;) {
		pthread_barrier_wait(&team->barrier);
		if (atomic_load(&team->end))
			return NULL;
		if (m - team->members < (int)team->nr_working)
			work_until_stopped(m);
		pthread_barrier_wait(&team->barrier);
	}
}

/* Operations a second of so many members together. */
static double
rate(struct team *team, void (*op)(struct member *m), unsigned int nr_working)
{
	struct timespec slice = {0, (long)(options.slice_s * 4 * 1e9)};
	uint64_t before = team->members[0].nr_done + team->members[1].nr_done;
	double start;

	team->op = op;
	team->nr_working = nr_working;
	atomic_store(&team->stop, false);
	pthread_barrier_wait(&team->barrier);
	start = now_s();
	nanosleep(&slice, NULL);
	atomic_store(&team->stop, true);
	pthread_barrier_wait(&team->barrier);
	return (double)(team->members[0].nr_done + team->members[1].nr_done - before) / (now_s() - start);
}

static void
run(struct team *team, const char *where, double bar)
{
	unsigned int rounds = options.rounds / 2 + 1;
	double *engine = calloc(3 * (size_t)rounds, sizeof *engine);
	double *limit = engine + rounds, *both = engine + 2 * rounds;
	char name[100];

	if (engine == NULL)
		die("out of memory");
	for (unsigned int i = 0; i < rounds; i++) {
		double one = rate(team, engine_op, 1), two = rate(team, engine_op, 2);

		engine[i] = two / one;
		limit[i] = rate(team, limit_op, 2) / rate(team, limit_op, 1);
		both[i] = two;
	}
	snprintf(name, sizeof name, "2 threads / 1, mixed 4 KiB, %s", where);
	report(name, "times", median(engine, rounds), median(limit, rounds), median(engine, rounds), -bar);
	snprintf(name, sizeof name, "2 threads, mixed 4 KiB, %s", where);
	report(name, "per s", median(both, rounds), 0, 0, 0);
	free(engine);
}

static void
place(struct team *team, uint32_t nr_pages, uint32_t apart)
{
	for (unsigned int i = 0; i < 2; i++) {
		team->members[i].first = i * apart;
		team->members[i].nr_pages = nr_pages;
	}
}

void
bench_threads(struct bench *b)
{
	struct team team = {.b = b};

	if (!wanted("2 threads"))
		return;
	pthread_barrier_init(&team.barrier, NULL, 3);
	for (unsigned int i = 0; i < 2; i++) {
		struct member *m = &team.members[i];

		m->team = &team;
		m->rng.state = 77 + i;
		m->buf = aligned_alloc(PRMEM_PAGE_SIZE, 16 * PRMEM_PAGE_SIZE);
		if (m->buf == NULL || pthread_create(&m->thread, NULL, member_run, m) != 0)
			die("a thread cannot be started");
		memset(m->buf, 0x5a, 16 * PRMEM_PAGE_SIZE);
	}
	place(&team, b->nr_pages / 2, b->nr_pages / 2);
	run(&team, "different leaves", 1.8);
	place(&team, 256, 256);
	run(&team, "one leaf", 0);
	place(&team, 1, 0);
	run(&team, "one page", 0);
	atomic_store(&team.end, true);
	pthread_barrier_wait(&team.barrier);
	for (unsigned int i = 0; i < 2; i++) {
		pthread_join(team.members[i].thread, NULL);
		free(team.members[i].buf);
	}
	pthread_barrier_destroy(&team.barrier);
}
