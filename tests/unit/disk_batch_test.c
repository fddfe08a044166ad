/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A request of many pages pays for two fences in all: on a plain disk, on a
 * reserved one, and in a pool that is full.  A reserved disk pays for each of
 * its pages once, also when two writers meet.
 */
#include "prmem/core/pool.h"
#include "prmem/disk/disk.h"
#include "prmem/disk/disk_page.h"
#include "tests/unit/temp_pool.h"

#define PAGE PRMEM_PAGE_SIZE
#define NR_PAGES 32u

static char data[NR_PAGES * PAGE];
static unsigned int nr_fences;
static const struct pm_ops *real_ops;
static struct pm_ops counting_ops;

static void
count_fence(struct pm *pm, enum pm_site site)
{
	nr_fences++;
	real_ops->fence(pm, site);
}

static void
count_fences(struct prmem_pool *pool)
{
	real_ops = pool->pm->ops;
	counting_ops = *real_ops;
	counting_ops.fence = count_fence;
	pool->pm->ops = &counting_ops;
}

/* Write the pages of @data at a page.  Return: fences that it took. */
static unsigned int
fences_of_write(struct prmem_disk *disk, uint64_t page)
{
	nr_fences = 0;
	data[unit_random() % sizeof data] ^= 1;
	CHECK_EQ(prmem_disk_write(disk, data, sizeof data, page * PAGE), 0);
	return nr_fences;
}

static struct prmem_disk *
make(struct temp_pool *t, uint64_t pool_bytes, uint64_t disk_bytes, bool reserve)
{
	struct prmem_disk_args args = {.name = "d", .size_bytes = disk_bytes, .reserve = reserve};
	struct prmem_error err = {0};
	struct prmem_disk *disk;

	memset(data, 0x5a, sizeof data);
	temp_pool_make(t, pool_bytes);
	CHECK_EQ(prmem_disk_create(t->pool, &args, sizeof args, &err), 0);
	CHECK_EQ(prmem_disk_open(t->pool, "d", &disk, &err), 0);
	/* The leaf, so that its making does not count. */
	CHECK_EQ(prmem_disk_write(disk, data, PAGE, 100 * PAGE), 0);
	count_fences(t->pool);
	return disk;
}

/* What is promised to the disk; it is the only one, and the pool must think so too. */
static uint64_t
promised(struct temp_pool *t, struct prmem_disk *disk)
{
	struct prmem_instance_info info;
	struct prmem_pool_info pool;

	prmem_disk_info(disk, &info, sizeof info);
	prmem_pool_info(t->pool, &pool, sizeof pool);
	CHECK_EQ(info.nr_promised, pool.nr_reserved);
	return info.nr_promised;
}

static void
many_pages_take_two_fences(void)
{
	struct temp_pool t;
	struct prmem_disk *disk = make(&t, 4 << 20, 1 << 20, false);

	CHECK_EQ(fences_of_write(disk, 0), 2);
	CHECK_EQ(fences_of_write(disk, 0), 2);
	CHECK_EQ(fences_of_write(disk, 90), 2);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

static void
a_reserved_disk_draws_its_promise_for_two_fences(void)
{
	struct temp_pool t;
	struct prmem_disk *disk = make(&t, 4 << 20, 1 << 20, true);
	uint64_t before = promised(&t, disk);

	/* New pages draw on it, pages that replace others do not. */
	CHECK_EQ(fences_of_write(disk, 0), 2);
	CHECK_EQ(promised(&t, disk), before - NR_PAGES);
	CHECK_EQ(fences_of_write(disk, 0), 2);
	CHECK_EQ(promised(&t, disk), before - NR_PAGES);
	CHECK_EQ(fences_of_write(disk, NR_PAGES / 2), 2);
	CHECK_EQ(promised(&t, disk), before - NR_PAGES - NR_PAGES / 2);
	/* What is given back is promised again. */
	CHECK_EQ(prmem_disk_zero(disk, 2 * NR_PAGES * PAGE, 0), 0);
	CHECK_EQ(promised(&t, disk), before);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

/* The disk and the page that somebody else writes in between, once. */
static struct prmem_disk *meanwhile_disk;
static uint32_t meanwhile_idx;

static void
write_meanwhile(struct pm *pm, enum pm_site site)
{
	struct prmem_disk *disk = meanwhile_disk;

	if (disk != NULL && (site == PM_SITE_SINGLE_FENCE || site == PM_SITE_PARTIAL_FENCE)) {
		meanwhile_disk = NULL;
		CHECK_EQ(prmem_disk_write(disk, data, PAGE, (uint64_t)meanwhile_idx * PAGE), 0);
	}
	real_ops->fence(pm, site);
}

static void
what_is_drawn_for_a_page_that_another_writer_fills_is_promised_again(void)
{
	struct temp_pool t;
	struct prmem_disk *disk = make(&t, 4 << 20, 1 << 20, true);
	uint64_t before = promised(&t, disk);

	counting_ops.fence = write_meanwhile;
	for (meanwhile_idx = 0; meanwhile_idx < 2; meanwhile_idx++) {
		meanwhile_disk = disk;
		if (meanwhile_idx == 0)
			CHECK_EQ(disk_write_page(disk->inst, meanwhile_idx, data), 0);
		else
			CHECK_EQ(prmem_disk_write(disk, data, 512, (uint64_t)meanwhile_idx * PAGE), 0);
		CHECK(meanwhile_disk == NULL);
		CHECK_EQ(promised(&t, disk), before - 1 - meanwhile_idx);
	}
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

static void
replacing_in_a_full_pool_takes_two_fences(void)
{
	struct temp_pool t;
	/* So large that as many pages are kept back as a request has. */
	struct prmem_disk *disk = make(&t, NR_PAGES * 64 * PAGE, NR_PAGES * 64 * PAGE, false);
	uint64_t page = 0, nr_full;

	while (prmem_disk_write(disk, data, PAGE, page * PAGE) == 0)
		page++;
	nr_full = page;
	CHECK_EQ(prmem_disk_write(disk, data, PAGE, nr_full * PAGE), -ENOSPC);
	for (page = 0; page + NR_PAGES <= nr_full; page += NR_PAGES)
		CHECK_EQ(fences_of_write(disk, page), 2);
	CHECK_EQ(prmem_disk_write(disk, data, PAGE, nr_full * PAGE), -ENOSPC);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

UNIT_MAIN(CASE(many_pages_take_two_fences), CASE(a_reserved_disk_draws_its_promise_for_two_fences),
	  CASE(what_is_drawn_for_a_page_that_another_writer_fills_is_promised_again),
	  CASE(replacing_in_a_full_pool_takes_two_fences))
