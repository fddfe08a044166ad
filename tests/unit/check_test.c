/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The check sees what was damaged, names it, and cries wolf at nothing.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "prmem/core/pool.h"
#include "prmem/format/record_format.h"
#include "prmem/instance/instance_types.h"
#include "prmem/memory/superblock.h"
#include "tests/unit/temp_pool.h"

#define PAGE PRMEM_PAGE_SIZE

#define SLOW 0x80000000u /* check(): take a break now and then */

struct seen {
	uint64_t nr[PRMEM_FOUND_BEHIND + 1];
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
	CHECK_EQ(prmem_check(t->pool, &args, sizeof args, &result, sizeof result, &err), 0);
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
the_last_page_of_an_odd_size_heals_when_all_there_is_of_it_is_written(void)
{
	struct prmem_disk *disk;
	struct temp_pool t;
	struct seen seen;
	char buf[100], got[100];

	temp_pool_make(&t, 4 << 20);
	disk = temp_disk(&t, "d", 10 * PAGE + sizeof buf);
	memset(buf, 5, sizeof buf);
	for (int zero = 0; zero < 2; zero++) {
		CHECK_EQ(prmem_disk_write(disk, buf, sizeof buf, 10 * PAGE), 0);
		((char *)pool_page(t.pool, (uint32_t)*slot_of(disk, 10)))[99] ^= 1;
		CHECK_EQ(prmem_disk_read(disk, got, sizeof got, 10 * PAGE), -EIO);
		CHECK_EQ(prmem_disk_write(disk, buf, 50, 10 * PAGE), -EIO);
		CHECK_EQ(prmem_disk_write(disk, buf, 99, 10 * PAGE + 1), -EIO);
		CHECK_EQ(prmem_disk_zero(disk, 99, 10 * PAGE), -EIO);
		if (zero)
			CHECK_EQ(prmem_disk_zero(disk, sizeof buf, 10 * PAGE), 0);
		else
			CHECK_EQ(prmem_disk_write(disk, buf, sizeof buf, 10 * PAGE), 0);
		CHECK_EQ(prmem_disk_read(disk, got, sizeof got, 10 * PAGE), 0);
		CHECK_EQ(got[0], zero ? 0 : 5);
		CHECK_EQ(got[99], zero ? 0 : 5);
		CHECK_EQ(check(&t, PRMEM_CHECK_SCRUB, &seen).nr_findings, 0);
	}
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

/* What a scrub reads meets bad memory and damage of each kind: a page, a run, a buffer, and the data. */
static void
damage_of_each_kind_of_object_is_found_by_the_scrub(void)
{
	struct prmem_check_result r;
	struct prmem_instance *inst;
	char *objects[3], *data;
	struct temp_pool t;
	struct seen seen;
	xa_entry_t entry;

	temp_pool_make(&t, 4 << 20);
	CHECK_EQ(prmem_get(t.pool, "test", "i", PRMEM_CREATE, &inst, NULL), 0);
	CHECK_EQ(prmem_alloc_pages(t.pool, 0, (void **)&objects[0]), 0);
	CHECK_EQ(prmem_alloc_pages(t.pool, 2, (void **)&objects[1]), 0);
	CHECK_EQ(prmem_alloc(t.pool, 300, (void **)&objects[2]), 0);
	CHECK_EQ(prmem_alloc(t.pool, 300, (void **)&data), 0);
	for (uint32_t i = 0; i < 3; i++) {
		memset(objects[i], 'o', 300);
		CHECK_EQ(prmem_mk_entry(inst, 10 * i, objects[i], &entry), 0);
		CHECK_EQ(xa_store(prmem_xarray(inst), 10 * i, entry), 0);
	}
	memset(data, 'd', 300);
	CHECK_EQ(prmem_set_data(inst, data, 300), 0);
	CHECK_EQ(check(&t, PRMEM_CHECK_SCRUB, &seen).nr_findings, 0);
	for (uint32_t i = 0; i < 3; i++) {
		objects[i][250] ^= 1;
		r = check(&t, PRMEM_CHECK_SCRUB, &seen);
		CHECK_EQ(r.nr_findings, 1);
		CHECK_EQ(seen.nr[PRMEM_FOUND_CONTENT], 1);
		CHECK_EQ(seen.last.off, 10 * i);
		CHECK(!seen.last.is_disk);
		objects[i][250] ^= 1;
	}
	data[0] ^= 1;
	r = check(&t, PRMEM_CHECK_SCRUB, &seen);
	CHECK_EQ(r.nr_crc_errors, 1);
	CHECK_EQ(seen.nr[PRMEM_FOUND_CONTENT], 1);
	data[0] ^= 1;
	CHECK_EQ(check(&t, PRMEM_CHECK_SCRUB, &seen).nr_findings, 0);
	prmem_put(inst);
	temp_pool_remove(&t);
}

static int
count_extents(void *opaque, uint64_t off, uint64_t len_bytes, bool hole)
{
	(void)off;
	(void)len_bytes;
	*(uint32_t *)opaque += hole ? 1 : 1000;
	return 0;
}

/* Sixteen terabytes that cannot be read are passed over, not looked at 2 MiB at a time. */
static void
what_cannot_be_read_takes_no_time(void)
{
	struct timespec before, after;
	struct prmem_check_result r;
	struct prmem_disk *disk;
	struct temp_pool t;
	struct seen seen;
	uint32_t nr = 0;
	pm_slot *upper;

	temp_pool_make(&t, 4 << 20);
	disk = temp_disk(&t, "d", UINT64_C(16) << 40);
	write_pages(disk, 0, 1);
	write_pages(disk, UINT32_MAX, 1);
	upper = pool_page(t.pool, (uint32_t)atomic_load(&inst_of(disk)->xa.root));
	for (uint32_t i = 1; i < 32; i++)
		upper[i] ^= 1;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
	r = check(&t, PRMEM_CHECK_SCRUB, &seen);
	CHECK_EQ(r.nr_damaged, UINT64_C(31) << 27);
	CHECK_EQ(r.nr_scrubbed_bytes, PAGE);
	CHECK_EQ(prmem_disk_extents(disk, UINT64_C(16) << 40, 0, false, count_extents, &nr), 0);
	CHECK_EQ(nr, 1000 + 1 + 1000);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
	CHECK(after.tv_sec - before.tv_sec < 3);
	for (uint32_t i = 1; i < 32; i++)
		upper[i] ^= 1;
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

/* Put a copy of the superblock where it is not alike, check, and put the right one back. */
static void
check_copy(struct temp_pool *t, uint32_t pfn, const struct sb_media *copy, bool is_damage)
{
	void *place = pool_page(t->pool, pfn);
	struct prmem_check_result r;
	struct seen seen;

	memcpy(place, copy, sizeof *copy);
	r = check(t, 0, &seen);
	CHECK_EQ(r.nr_findings, is_damage);
	CHECK_EQ(seen.nr[PRMEM_FOUND_SUPERBLOCK], is_damage);
	CHECK_EQ(seen.nr[PRMEM_FOUND_BEHIND], !is_damage);
	CHECK(strstr(seen.last.text, pfn == SB_PFN_A ? "superblock A" : "superblock B") != NULL);
	memcpy(place, &t->pool->sb, sizeof t->pool->sb);
}

static void
what_a_crash_leaves_of_a_superblock_is_no_damage(void)
{
	struct sb_media good, copy;
	struct temp_pool t;

	temp_pool_make(&t, 4 << 20);
	CHECK_EQ(prmem_set_label(t.pool, "a", NULL), 0);
	good = t.pool->sb;
	for (unsigned int i = 0; i < 2; i++) {
		uint32_t pfn = i == 0 ? SB_PFN_A : SB_PFN_B;

		/* The one before. */
		copy = good;
		copy.seq = cpu_to_le64(le64_to_cpu(good.seq) - 1);
		copy.label[0] = 'b';
		copy.crc = cpu_to_le32(sb_crc(&copy));
		check_copy(&t, pfn, &copy, false);
		/* The mark of a format, over the old one, and over nothing. */
		copy.magic = cpu_to_le64(SB_MAGIC_FORMATTING);
		check_copy(&t, pfn, &copy, false);
		memset((char *)&copy + 8, 0, sizeof copy - 8);
		check_copy(&t, pfn, &copy, false);
		/* A bit, a newer one that is whole, another pool's, nothing. */
		copy = good;
		copy.label[0] ^= 2;
		check_copy(&t, pfn, &copy, true);
		copy.seq = cpu_to_le64(le64_to_cpu(good.seq) + 1);
		copy.crc = cpu_to_le32(sb_crc(&copy));
		check_copy(&t, pfn, &copy, true);
		copy = good;
		copy.seq = cpu_to_le64(le64_to_cpu(good.seq) - 1);
		copy.uuid[0] ^= 1;
		copy.crc = cpu_to_le32(sb_crc(&copy));
		check_copy(&t, pfn, &copy, true);
		memset(&copy, 0, sizeof copy);
		check_copy(&t, pfn, &copy, true);
	}
	/* Torn: B while A is the old one, A while B is the new one. */
	copy = good;
	copy.seq = cpu_to_le64(le64_to_cpu(good.seq) + 1);
	copy.label[0] = 'b';
	check_copy(&t, SB_PFN_B, &copy, false);
	copy = good;
	copy.label[0] = 'b';
	copy.crc = cpu_to_le32(sb_crc(&copy) ^ 7);
	check_copy(&t, SB_PFN_A, &copy, false);
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
	CHECK_EQ(prmem_check(t.pool, &args, sizeof args, &result, sizeof result, &err), -ECANCELED);
	args.disk = "none";
	CHECK_EQ(prmem_check(t.pool, &args, sizeof args, &result, sizeof result, &err), -ENOENT);
	args.disk = "d";
	CHECK_EQ(prmem_check(t.pool, &args, sizeof args, &result, sizeof result, &err), 0);
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
	CHECK_EQ(prmem_check(t.pool, &args, sizeof args, &result, sizeof result, NULL), 0);
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
	  CASE(a_damaged_hole_entry_and_node_are_named), CASE(what_cannot_be_read_takes_no_time),
	  CASE(the_last_page_of_an_odd_size_heals_when_all_there_is_of_it_is_written),
	  CASE(damage_of_each_kind_of_object_is_found_by_the_scrub),
	  CASE(what_a_crash_leaves_of_a_superblock_is_no_damage), CASE(a_damaged_record_and_superblock_are_named),
	  CASE(it_can_be_interrupted_and_told_one_disk), CASE(the_scrub_keeps_to_its_pace),
	  CASE(under_load_it_finds_nothing))
