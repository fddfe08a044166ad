/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Several threads on one disk: a page is read as one writer wrote it, and
 * nothing that was written is lost.
 */
#include <errno.h>
#include <pthread.h>

#include "tests/unit/temp_pool.h"

#define PAGE PRMEM_PAGE_SIZE
#define NR_THREADS 4
#define ROUNDS unit_rounds(3000)

struct worker {
	pthread_t thread;
	struct temp_pool *t;
	struct prmem_disk *disk;
	int number;
	uint64_t seed;
};

static uint64_t
next(struct worker *w)
{
	w->seed += UINT64_C(0x9e3779b97f4a7c15);
	return mix64(w->seed);
}

static void
run(struct temp_pool *t, struct prmem_disk *disk, void *(*fn)(void *))
{
	struct worker workers[NR_THREADS];

	for (int i = 0; i < NR_THREADS; i++) {
		workers[i] = (struct worker){.t = t, .disk = disk, .number = i, .seed = unit_random()};
		CHECK_EQ(pthread_create(&workers[i].thread, NULL, fn, &workers[i]), 0);
	}
	for (int i = 0; i < NR_THREADS; i++)
		pthread_join(workers[i].thread, NULL);
}

/* Each page holds one 64-bit word all over, or zeroes; a mixture is a torn page. */
static void
check_whole(const uint64_t *page)
{
	for (size_t i = 1; i < PAGE / 8; i++)
		CHECK(page[i] == page[0]);
}

static void *
write_whole_pages(void *opaque)
{
	struct worker *w = opaque;
	uint64_t buf[8 * PAGE / 8];

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t page = next(w) % 24, nr = 1 + next(w) % 8, word = next(w);

		for (size_t j = 0; j < sizeof buf / 8; j++)
			buf[j] = word;
		switch (next(w) % 4) {
		case 0:
			CHECK_EQ(prmem_disk_zero(w->disk, nr * PAGE, page * PAGE), 0);
			break;
		case 1:
			CHECK_EQ(prmem_disk_write(w->disk, buf, nr * PAGE, page * PAGE), 0);
			break;
		default:
			CHECK_EQ(prmem_disk_read(w->disk, buf, nr * PAGE, page * PAGE), 0);
			for (uint64_t k = 0; k < nr; k++)
				check_whole(buf + k * PAGE / 8);
		}
	}
	return NULL;
}

static void
pages_are_never_torn(void)
{
	struct temp_pool t;
	struct prmem_disk *disk;

	temp_pool_make(&t, 1 << 20);
	disk = temp_disk(&t, "pram0", 1 << 20);
	run(&t, disk, write_whole_pages);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

/* Each thread owns every fourth 512-byte sector: all share all pages. */
static void *
write_own_sectors(void *opaque)
{
	struct worker *w = opaque;
	unsigned char mine[128] = {0}, buf[512];

	for (int i = 0; i < ROUNDS; i++) {
		unsigned int sector =
			(unsigned int)(next(w) % (sizeof mine / NR_THREADS)) * NR_THREADS + (unsigned int)w->number;
		uint64_t off = sector * 512;

		CHECK_EQ(prmem_disk_read(w->disk, buf, sizeof buf, off), 0);
		for (size_t j = 0; j < sizeof buf; j++)
			CHECK_EQ(buf[j], mine[sector]);
		mine[sector] = (unsigned char)next(w);
		memset(buf, mine[sector], sizeof buf);
		CHECK_EQ(prmem_disk_write(w->disk, buf, sizeof buf, off), 0);
	}
	return NULL;
}

static void
sectors_of_one_page_do_not_disturb_each_other(void)
{
	struct temp_pool t;
	struct prmem_disk *disk;

	temp_pool_make(&t, 1 << 20);
	disk = temp_disk(&t, "pram0", 1 << 20);
	run(&t, disk, write_own_sectors);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

/* Different parts of a large, sparse disk; nodes come and go all the time. */
static void *
write_own_far_pages(void *opaque)
{
	struct worker *w = opaque;
	uint64_t buf[PAGE / 8], word = 0, at = 0;

	for (int i = 0; i < ROUNDS / 2; i++) {
		if (word != 0) {
			CHECK_EQ(prmem_disk_read(w->disk, buf, PAGE, at), 0);
			check_whole(buf);
			CHECK(buf[0] == word);
			CHECK_EQ(prmem_disk_zero(w->disk, 1 << 20, at & ~((UINT64_C(1) << 20) - 1)), 0);
			CHECK_EQ(prmem_disk_read(w->disk, buf, PAGE, at), 0);
			CHECK(buf[0] == 0);
		}
		at = (next(w) % (1 << 14) * NR_THREADS + (uint64_t)w->number) << 20;
		at += next(w) % 256 * PAGE;
		word = next(w) | 1;
		for (size_t j = 0; j < PAGE / 8; j++)
			buf[j] = word;
		CHECK_EQ(prmem_disk_write(w->disk, buf, PAGE, at), 0);
	}
	CHECK_EQ(prmem_disk_zero(w->disk, PAGE, at), 0);
	return NULL;
}

static void
nodes_come_and_go_under_load(void)
{
	struct prmem_pool_info info;
	struct temp_pool t;
	struct prmem_disk *disk;
	uint64_t before;

	temp_pool_make(&t, 4 << 20);
	disk = temp_disk(&t, "pram0", UINT64_C(64) << 30);
	before = temp_pool_free_pages(&t);
	run(&t, disk, write_own_far_pages);
	CHECK_EQ(prmem_disk_zero(disk, UINT64_C(64) << 30, 0), 0);
	prmem_pool_info(t.pool, &info, sizeof info);
	CHECK_EQ(info.nr_free, before);
	prmem_disk_close(disk);
	temp_pool_reopen(&t);
	CHECK_EQ(temp_pool_free_pages(&t), before);
	temp_pool_remove(&t);
}

static void *
overwrite(void *opaque)
{
	struct worker *w = opaque;
	uint64_t buf[4 * PAGE / 8];

	for (int i = 0; i < ROUNDS / 4; i++) {
		uint64_t word = next(w) | 1;

		for (size_t j = 0; j < sizeof buf / 8; j++)
			buf[j] = word;
		CHECK_EQ(prmem_disk_write(w->disk, buf, sizeof buf, next(w) % 16 * PAGE), 0);
		CHECK_EQ(prmem_disk_write(w->disk, buf, 100, next(w) % 16 * PAGE + 50), 0);
	}
	return NULL;
}

static void
overwriting_in_a_full_pool_never_fails(void)
{
	uint64_t buf[PAGE / 8], off = 0;
	struct temp_pool t;
	struct prmem_disk *disk;

	memset(buf, 1, sizeof buf);
	temp_pool_make(&t, 1 << 20);
	disk = temp_disk(&t, "pram0", 1 << 20);
	while (prmem_disk_write(disk, buf, PAGE, off) == 0)
		off += PAGE;
	run(&t, disk, overwrite);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

static void *
use_and_remove(void *opaque)
{
	struct worker *w = opaque;
	uint64_t buf[PAGE / 8];
	struct prmem_error err;

	for (int i = 0; i < ROUNDS / 30; i++) {
		struct prmem_disk_args args = {.name = "shared", .size_bytes = 1 << 20};
		struct prmem_disk *disk;

		prmem_disk_create(w->t->pool, &args, sizeof args, &err);
		if (prmem_disk_open(w->t->pool, "shared", &disk, &err) < 0)
			continue;
		for (int j = 0; j < 20; j++) {
			int r;

			memset(buf, j + 1, sizeof buf);
			r = prmem_disk_write(disk, buf, PAGE, next(w) % 256 * PAGE);
			CHECK(r == 0 || r == -ESHUTDOWN);
			r = prmem_disk_read(disk, buf, PAGE, next(w) % 256 * PAGE);
			CHECK(r == 0 || r == -ESHUTDOWN);
			if (r == 0)
				check_whole(buf);
		}
		if (next(w) % 2 == 0)
			prmem_remove(w->t->pool, PRMEM_SUBSYSTEM_RAMDISK, "shared", &err);
		prmem_disk_close(disk);
	}
	return NULL;
}

static void
disks_are_removed_under_load(void)
{
	struct temp_pool t;
	struct prmem_error err;
	uint64_t before;

	temp_pool_make(&t, 8 << 20);
	before = temp_pool_free_pages(&t);
	run(&t, NULL, use_and_remove);
	prmem_remove(t.pool, PRMEM_SUBSYSTEM_RAMDISK, "shared", &err);
	CHECK(before - temp_pool_free_pages(&t) <= 1);
	temp_pool_reopen(&t);
	CHECK(before - temp_pool_free_pages(&t) <= 1);
	temp_pool_remove(&t);
}

UNIT_MAIN(CASE(pages_are_never_torn), CASE(sectors_of_one_page_do_not_disturb_each_other),
	  CASE(nodes_come_and_go_under_load), CASE(overwriting_in_a_full_pool_never_fails),
	  CASE(disks_are_removed_under_load))
