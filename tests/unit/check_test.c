/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The check sees what was damaged, names it, and cries wolf at nothing.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "prmem/instance.h"
#include "tests/unit/temp_pool.h"

#define PAGE PRMEM_PAGE_SIZE

#define SLOW 0x80000000u /* check(): take a break now and then */

struct seen {
	uint64_t nr[PRMEM_FOUND_LOST + 1];
	struct prmem_finding last;
	char name[64];
	uint64_t nr_progress;
	uint64_t cancel_at;
	bool slow;
};

static void
report(void *opaque, const struct prmem_finding *finding)
{
	struct seen *seen = opaque;

	seen->nr[finding->kind]++;
	seen->last = *finding;
	snprintf(seen->name, sizeof seen->name, "%s", finding->name);
}

static int
progress(void *opaque, uint64_t done, uint64_t total)
{
	struct seen *seen = opaque;

	CHECK(done <= total);
	if (seen->slow && seen->nr_progress < 4)
		usleep(5000);
	return ++seen->nr_progress == seen->cancel_at;
}

static struct prmem_check_result
check(struct temp_pool *t, unsigned int flags, struct seen *seen)
{
	struct prmem_check_args args = {.flags = flags, .report = report, .progress = progress, .opaque = seen};
	struct prmem_check_result result;
	struct prmem_error err;

	memset(seen, 0, sizeof *seen);
	seen->slow = (flags & SLOW) != 0;
	args.flags &= ~SLOW;
	CHECK_EQ(prmem_check(t->pool, &args, &result, &err), 0);
	return result;
}

static void
write_pages(struct prmem_disk *disk, uint32_t idx, uint32_t nr)
{
	char buf[PAGE];

	for (uint32_t i = 0; i < nr; i++) {
		for (size_t j = 0; j < PAGE; j++)
			buf[j] = (char)(mix64(idx + i + j / 8) >> (j % 8 * 8) | 1);
		CHECK_EQ(prmem_disk_write(disk, buf, PAGE, (uint64_t)(idx + i) * PAGE), 0);
	}
}

/* The slot on media of an index of a disk's array. */
static pm_slot *
slot_of(struct prmem_disk *disk_public, uint32_t idx)
{
	struct prmem_instance *inst = *(struct prmem_instance **)(void *)disk_public;
	uint64_t root = atomic_load(&inst->xa.root);
	pm_slot *slots = pool_page(inst->pool, (uint32_t)root);

	for (unsigned int level = (unsigned int)(root >> 32) - 1; level > 0; level--)
		slots = pool_page(inst->pool, (uint32_t)le64toh(slots[idx >> (9 * level) & 511]));
	return &slots[idx & 511];
}

static struct prmem_instance *
inst_of(struct prmem_disk *disk)
{
	return *(struct prmem_instance **)(void *)disk;
}

static void
a_sound_pool_has_no_findings(void)
{
	struct prmem_instance *inst;
	struct prmem_check_result r;
	struct prmem_disk *disk;
	struct temp_pool t;
	struct seen seen;
	xa_entry_t entry;
	void *p;

	temp_pool_make(&t, 16 << 20);
	r = check(&t, PRMEM_CHECK_SCRUB, &seen);
	CHECK_EQ(r.nr_findings, 0);
	CHECK_EQ(r.nr_leaked, 0);
	disk = temp_disk(&t, "d", UINT64_C(5) << 40);
	write_pages(disk, 0, 600);
	write_pages(disk, 1u << 30, 7);
	CHECK_EQ(prmem_get(t.pool, "test", "i", PRMEM_CREATE, &inst, NULL), 0);
	for (uint32_t i = 0; i < 20; i++) {
		if (i % 3 == 0)
			CHECK_EQ(prmem_alloc_pages(t.pool, i / 6, &p), 0);
		else
			CHECK_EQ(prmem_alloc(t.pool, 50 + i, &p), 0);
		CHECK_EQ(prmem_mk_entry(inst, i, p, &entry), 0);
		CHECK_EQ(xa_store(prmem_xarray(inst), i, entry), 0);
	}
	CHECK_EQ(xa_store(prmem_xarray(inst), 99, xa_mk_value(3)), 0);
	CHECK_EQ(prmem_alloc(t.pool, 100, &p), 0);
	CHECK_EQ(prmem_set_data(inst, p, 100), 0);
	prmem_put(inst);
	r = check(&t, PRMEM_CHECK_SCRUB, &seen);
	CHECK_EQ(r.nr_findings, 0);
	CHECK_EQ(r.nr_instances, 2);
	CHECK_EQ(r.nr_entries, 607 + 21);
	CHECK(r.nr_scrubbed_bytes >= 607 * PAGE);
	CHECK_EQ(r.nr_leaked, 0);
	CHECK(seen.nr_progress > 10);
	prmem_disk_close(disk);
	temp_pool_reopen(&t);
	r = check(&t, 0, &seen);
	CHECK_EQ(r.nr_findings, 0);
	CHECK_EQ(r.nr_leaked, 0);
	CHECK_EQ(r.nr_scrubbed_bytes, 0);
	temp_pool_remove(&t);
}

static void
damaged_content_is_found_by_the_scrub_alone(void)
{
	struct prmem_check_result r;
	struct prmem_disk *disk;
	struct temp_pool t;
	struct seen seen;

	temp_pool_make(&t, 4 << 20);
	disk = temp_disk(&t, "d", 1 << 20);
	write_pages(disk, 0, 50);
	for (uint32_t idx = 17; idx < 20; idx++)
		((char *)pool_page(t.pool, (uint32_t)*slot_of(disk, idx)))[100] ^= 1;
	r = check(&t, 0, &seen);
	CHECK_EQ(r.nr_findings, 0);
	r = check(&t, PRMEM_CHECK_SCRUB, &seen);
	CHECK_EQ(r.nr_findings, 1);
	CHECK_EQ(r.nr_crc_errors, 3);
	CHECK_EQ(seen.nr[PRMEM_FOUND_CONTENT], 1);
	CHECK_STR(seen.name, "d");
	CHECK(seen.last.is_disk);
	CHECK_EQ(seen.last.off, 17 * PAGE);
	CHECK_EQ(seen.last.len_bytes, 3 * PAGE);
	write_pages(disk, 17, 3);
	CHECK_EQ(check(&t, PRMEM_CHECK_SCRUB, &seen).nr_findings, 0);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

static void
a_damaged_hole_entry_and_node_are_named(void)
{
	struct prmem_check_result r;
	struct prmem_disk *disk;
	struct temp_pool t;
	struct seen seen;
	pm_slot *leaf, *upper;

	temp_pool_make(&t, 8 << 20);
	disk = temp_disk(&t, "d", 1 << 30);
	write_pages(disk, 0, 3);
	write_pages(disk, 1024, 3);
	*slot_of(disk, 100) ^= 1;
	r = check(&t, 0, &seen);
	CHECK_EQ(r.nr_findings, 1);
	CHECK_EQ(seen.nr[PRMEM_FOUND_ENTRY], 1);
	CHECK_EQ(seen.last.off, 100 * PAGE);
	*slot_of(disk, 100) ^= 1;

	/* A page beyond the pool. */
	leaf = slot_of(disk, 1);
	*leaf ^= UINT64_C(1) << 31;
	r = check(&t, 0, &seen);
	CHECK_EQ(r.nr_findings, 1);
	CHECK_EQ(seen.nr[PRMEM_FOUND_ENTRY], 1);
	CHECK_EQ(seen.last.off, PAGE);
	*leaf ^= UINT64_C(1) << 31;

	/* A free page. */
	*leaf ^= 1u << 10;
	r = check(&t, 0, &seen);
	CHECK_EQ(seen.nr[PRMEM_FOUND_FREE], 1);
	*leaf ^= 1u << 10;

	/* The link to the leaf of 1024 to 1535. */
	upper = pool_page(t.pool, (uint32_t)atomic_load(&inst_of(disk)->xa.root));
	upper[2] ^= 1u << 3;
	r = check(&t, 0, &seen);
	CHECK_EQ(r.nr_findings, 1);
	CHECK_EQ(r.nr_damaged, 512);
	CHECK_EQ(seen.nr[PRMEM_FOUND_NODE], 1);
	CHECK_EQ(seen.last.off, 1024 * PAGE);
	CHECK_EQ(seen.last.len_bytes, 512 * PAGE);
	CHECK(r.nr_leaked > 0);
	upper[2] ^= 1u << 3;

	/* Two entries that name one page. */
	{
		uint64_t was = *slot_of(disk, 1);

		*slot_of(disk, 1) = *slot_of(disk, 1024);
		r = check(&t, 0, &seen);
		CHECK_EQ(r.nr_shared, 1);
		CHECK_EQ(seen.nr[PRMEM_FOUND_SHARED], 2);
		*slot_of(disk, 1) = was;
	}
	CHECK_EQ(check(&t, PRMEM_CHECK_SCRUB, &seen).nr_findings, 0);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

static void
a_damaged_record_and_superblock_are_named(void)
{
	struct prmem_check_result r;
	struct prmem_disk *disk;
	struct temp_pool t;
	struct seen seen;
	struct record_media *rec;
	char *b;

	temp_pool_make(&t, 4 << 20);
	disk = temp_disk(&t, "d", 1 << 20);
	rec = pool_page(t.pool, inst_of(disk)->rec_pfn);
	rec->description[3] ^= 1;
	r = check(&t, 0, &seen);
	CHECK_EQ(r.nr_findings, 1);
	CHECK_EQ(seen.nr[PRMEM_FOUND_RECORD], 1);
	rec->description[3] ^= 1;
	b = pool_page(t.pool, SB_PFN_B);
	b[200] ^= 1;
	r = check(&t, 0, &seen);
	CHECK_EQ(r.nr_findings, 1);
	CHECK_EQ(seen.nr[PRMEM_FOUND_SUPERBLOCK], 1);
	b[200] ^= 1;
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

static void
it_can_be_interrupted_and_told_one_disk(void)
{
	struct seen seen = {.cancel_at = 3};
	struct prmem_check_args args = {.flags = PRMEM_CHECK_SCRUB, .progress = progress, .opaque = &seen};
	struct prmem_check_result result;
	struct prmem_disk *disk;
	struct prmem_error err;
	struct temp_pool t;

	temp_pool_make(&t, 4 << 20);
	disk = temp_disk(&t, "d", 1 << 20);
	write_pages(disk, 0, 200);
	prmem_disk_close(temp_disk(&t, "e", 1 << 20));
	CHECK_EQ(prmem_check(t.pool, &args, &result, &err), -ECANCELED);
	args.disk = "none";
	CHECK_EQ(prmem_check(t.pool, &args, &result, &err), -ENOENT);
	args.disk = "d";
	CHECK_EQ(prmem_check(t.pool, &args, &result, &err), 0);
	CHECK_EQ(result.nr_instances, 1);
	CHECK_EQ(result.nr_scrubbed_bytes, 200 * PAGE);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

static void
the_scrub_keeps_to_its_pace(void)
{
	struct prmem_check_args args = {.flags = PRMEM_CHECK_SCRUB, .max_bytes_per_s = 4 << 20};
	struct prmem_check_result result;
	struct timespec before, after;
	struct prmem_disk *disk;
	struct temp_pool t;
	double s;

	temp_pool_make(&t, 4 << 20);
	disk = temp_disk(&t, "d", 1 << 20);
	write_pages(disk, 0, 256);
	clock_gettime(CLOCK_MONOTONIC, &before);
	CHECK_EQ(prmem_check(t.pool, &args, &result, NULL), 0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	s = (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
	CHECK(s >= 0.24);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

struct writer {
	struct temp_pool *t;
	struct prmem_disk *disk;
	uint64_t seed;
	atomic_bool *stop;
};

static void *
write_at_random(void *opaque)
{
	struct writer *w = opaque;
	char buf[4 * PAGE];

	for (uint64_t i = 0; !atomic_load(w->stop); i++) {
		uint64_t r = mix64(w->seed + i);
		uint64_t off = r % 900 * PAGE / 2;

		memset(buf, (int)(r >> 56 | 1), sizeof buf);
		if (r >> 40 & 1)
			CHECK_EQ(prmem_disk_write(w->disk, buf, (r >> 41 & 3) * PAGE + 512, off), 0);
		else if (r >> 44 & 3)
			CHECK_EQ(prmem_disk_write(w->disk, buf, 4 * PAGE, off), 0);
		else
			CHECK_EQ(prmem_disk_zero(w->disk, 454 * PAGE - off, off), 0);
	}
	return NULL;
}

static void
under_load_it_finds_nothing(void)
{
	struct prmem_disk *disks[2];
	struct writer writers[2];
	pthread_t threads[2];
	atomic_bool stop = false;
	struct temp_pool t;
	struct seen seen;

	temp_pool_make(&t, 5 << 20); /* small: pages come back soon */
	for (unsigned int i = 0; i < 2; i++) {
		disks[i] = temp_disk(&t, i == 0 ? "a" : "b", 454 * PAGE);
		writers[i] = (struct writer){&t, disks[i], unit_random(), &stop};
		CHECK_EQ(pthread_create(&threads[i], NULL, write_at_random, &writers[i]), 0);
	}
	for (int i = 0; i < 60; i++) {
		/* A pause between the disks: what was in one is in the other by then. */
		struct prmem_check_result r = check(&t, PRMEM_CHECK_SCRUB | SLOW, &seen);

		if (r.nr_findings != 0)
			fprintf(stderr, "%s at %llu of %s\n", seen.last.text, (unsigned long long)seen.last.off,
				seen.name);
		CHECK_EQ(r.nr_findings, 0);
	}
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		prmem_disk_close(disks[i]);
	}
	CHECK_EQ(check(&t, PRMEM_CHECK_SCRUB, &seen).nr_leaked, 0);
	temp_pool_remove(&t);
}

UNIT_MAIN(CASE(a_sound_pool_has_no_findings), CASE(damaged_content_is_found_by_the_scrub_alone),
	  CASE(a_damaged_hole_entry_and_node_are_named), CASE(a_damaged_record_and_superblock_are_named),
	  CASE(it_can_be_interrupted_and_told_one_disk), CASE(the_scrub_keeps_to_its_pace),
	  CASE(under_load_it_finds_nothing))
