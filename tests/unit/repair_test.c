/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A damaged pool becomes whole again: what can be proved comes back, what is
 * lost says so, and nothing else changes.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "common/compiler.h"
#include "common/crc32c.h"
#include "prmem/core/pool.h"
#include "prmem/instance/instance_types.h"
#include "tests/unit/temp_pool.h"

#define PAGE PRMEM_PAGE_SIZE
#define NR 1030u /* pages of the disk that are written: three leaves */

struct kept {
	uint64_t off[4096];
	char old[4096][8];
	size_t nr;
};

static void
pattern(char *buf, uint64_t n)
{
	for (size_t i = 0; i < PAGE; i += 8)
		memcpy(buf + i, &(uint64_t){mix64(n + i) | 1}, 8);
}

static void
make(struct temp_pool *t)
{
	struct prmem_disk *disk;
	char buf[PAGE];

	temp_pool_make(t, 8 << 20);
	prmem_disk_close(temp_disk(t, "other", 1 << 20));
	disk = temp_disk(t, "d", 1 << 30);
	for (uint64_t i = 0; i < NR; i++) {
		pattern(buf, i);
		CHECK_EQ(prmem_disk_write(disk, buf, PAGE, i * PAGE), 0);
	}
	prmem_disk_close(disk);
}

/* Where things are in the file, to be damaged when it is closed. */
struct places {
	uint64_t root, leaf[3], record, dir;
};

static uint64_t
slot_at(struct prmem_pool *pool, uint64_t off)
{
	return le64toh(*(uint64_t *)(void *)((char *)pool->pm->base + off));
}

static struct places
find_places(struct temp_pool *t)
{
	struct prmem_instance *inst;
	struct places p;

	CHECK_EQ(prmem_get(t->pool, PRMEM_SUBSYSTEM_RAMDISK, "d", 0, &inst, NULL), 0);
	p.root = (uint64_t)(uint32_t)atomic_load(&inst->xa.root) * PAGE;
	for (uint64_t i = 0; i < 3; i++)
		p.leaf[i] = (uint32_t)slot_at(t->pool, p.root + i * 8) * PAGE;
	p.record = (uint64_t)inst->rec_pfn * PAGE;
	p.dir = (uint64_t)(uint32_t)atomic_load(&t->pool->dir->xa.root) * PAGE + inst->number * 8u;
	prmem_put(inst);
	return p;
}

static void
edit(struct temp_pool *t, uint64_t off, void *bytes, size_t n, bool write_it)
{
	int fd = open(t->path, O_RDWR | O_CLOEXEC);

	CHECK(fd >= 0);
	if (write_it)
		CHECK_EQ(pwrite(fd, bytes, n, (off_t)off), (ssize_t)n);
	else
		CHECK_EQ(pread(fd, bytes, n, (off_t)off), (ssize_t)n);
	close(fd);
}

static void
flip(struct temp_pool *t, uint64_t off, uint64_t mask)
{
	uint64_t word;

	edit(t, off, &word, 8, false);
	word ^= mask;
	edit(t, off, &word, 8, true);
}

static int
keep(void *opaque, uint64_t off, const void *old, size_t len_bytes)
{
	struct kept *kept = opaque;

	if (len_bytes != 8 || kept->nr == 4096)
		return 0;
	kept->off[kept->nr] = off;
	memcpy(kept->old[kept->nr++], old, 8);
	return 0;
}

static bool tell;

static void
report(void *opaque, const struct prmem_finding *f)
{
	(void)opaque;
	if (tell)
		printf("  %s %s: %llu +%llu: %s%s\n", f->subsystem, f->name, (unsigned long long)f->off,
		       (unsigned long long)f->len_bytes, f->text, f->repaired ? " (repaired)" : "");
}

static struct prmem_check_result
repair(struct temp_pool *t, unsigned int flags, struct kept *kept)
{
	struct prmem_check_args args = {
		.flags = flags, .report = report, .keep = kept == NULL ? NULL : keep, .opaque = kept};
	struct prmem_check_result result;
	struct prmem_error err;

	if (prmem_repair(t->pool, &args, sizeof args, &result, sizeof result, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		abort();
	}
	return result;
}

/* Open it; it is to be read-only, or not. */
static void
open_expecting(struct temp_pool *t, bool read_only)
{
	struct prmem_pool_info info;

	temp_pool_open(t);
	prmem_pool_info(t->pool, &info, sizeof info);
	CHECK_EQ(info.read_only, read_only);
}

static void
expect_clean(struct temp_pool *t, uint64_t nr_lost)
{
	struct prmem_check_args args = {.flags = PRMEM_CHECK_SCRUB, .report = report};
	struct prmem_check_result result;

	CHECK_EQ(prmem_check(t->pool, &args, sizeof args, &result, sizeof result, NULL), 0);
	CHECK_EQ(result.nr_findings, 0);
	CHECK_EQ(result.nr_lost, nr_lost);
	CHECK_EQ(result.nr_leaked, 0);
}

/* Pages [from, to) are lost, all others are there. */
static void
expect_lost(struct temp_pool *t, uint64_t from, uint64_t to)
{
	struct prmem_disk *disk = temp_disk(t, "d", 1);
	char buf[PAGE], want[PAGE];

	for (uint64_t i = 0; i < NR; i++) {
		int r = prmem_disk_read(disk, buf, PAGE, i * PAGE);

		pattern(want, i);
		CHECK_EQ(r, i >= from && i < to ? -EIO : 0);
		CHECK(r < 0 || memcmp(buf, want, PAGE) == 0);
	}
	prmem_disk_close(disk);
}

static void
one_bit_anywhere_in_the_index_is_put_right(void)
{
	struct temp_pool t;
	struct places p;
	uint64_t offs[7];

	make(&t);
	p = find_places(&t);
	prmem_close(t.pool);
	offs[0] = p.root; /* a link */
	offs[1] = p.root + 8 * 100; /* a hole of the upper level */
	offs[2] = p.leaf[0] + 8 * 33;
	offs[3] = p.leaf[2] + 8 * 400; /* a hole of a leaf */
	offs[4] = p.dir;
	offs[5] = p.record + 8 * (unit_random() % 511);
	offs[6] = p.record + 8 * 511; /* with its own checksum */
	for (unsigned int i = 0; i < ARRAY_SIZE(offs); i++) {
		for (int n = 0; n < 5; n++) {
			struct prmem_check_result r;
			uint64_t bit = UINT64_C(1) << unit_random() % 64;

			flip(&t, offs[i], bit);
			temp_pool_open(&t);
			r = repair(&t, PRMEM_CHECK_SCRUB, NULL);
			CHECK_EQ(r.nr_findings, 1);
			CHECK_EQ(r.nr_repaired, 1);
			prmem_close(t.pool);
			open_expecting(&t, false);
			expect_clean(&t, 0);
			expect_lost(&t, 0, 0);
			prmem_close(t.pool);
		}
	}
	temp_pool_open(&t);
	temp_pool_remove(&t);
}

static void
a_link_whose_proof_is_gone_is_known_by_its_node(void)
{
	struct prmem_check_result r;
	struct temp_pool t;
	struct places p;

	make(&t);
	p = find_places(&t);
	prmem_close(t.pool);
	flip(&t, p.root + 8, UINT64_C(0xabcdef1) << 36);
	open_expecting(&t, true);
	r = repair(&t, 0, NULL);
	CHECK_EQ(r.nr_repaired, 1);
	CHECK_EQ(r.nr_lost, 0);
	prmem_close(t.pool);
	open_expecting(&t, false);
	expect_clean(&t, 0);
	expect_lost(&t, 0, 0);
	temp_pool_remove(&t);
}

static void
what_is_lost_says_so_until_it_is_written_anew(void)
{
	struct prmem_check_result r;
	struct prmem_instance_info info;
	struct prmem_disk *disk;
	struct temp_pool t;
	struct places p;
	char buf[PAGE], want[PAGE], zeroes[8] = {0};

	make(&t);
	p = find_places(&t);
	prmem_close(t.pool);
	edit(&t, p.root + 8, zeroes, 8, true);
	open_expecting(&t, true);
	r = repair(&t, 0, NULL);
	CHECK_EQ(r.nr_findings, 1);
	CHECK_EQ(r.nr_repaired, 0);
	CHECK_EQ(r.nr_lost, 512);
	prmem_close(t.pool);
	open_expecting(&t, false);
	expect_clean(&t, 512);
	expect_lost(&t, 512, 1024);

	/* A page that is written anew is there; all others stay lost, not zeroes. */
	disk = temp_disk(&t, "d", 1);
	pattern(want, 700);
	CHECK_EQ(prmem_disk_write(disk, want, 100, 700 * PAGE), -EIO);
	CHECK_EQ(prmem_disk_write(disk, want, PAGE, 700 * PAGE), 0);
	CHECK_EQ(prmem_disk_read(disk, buf, PAGE, 700 * PAGE), 0);
	CHECK(memcmp(buf, want, PAGE) == 0);
	CHECK_EQ(prmem_disk_read(disk, buf, PAGE, 699 * PAGE), -EIO);
	CHECK_EQ(prmem_disk_read(disk, buf, PAGE, 701 * PAGE), -EIO);
	CHECK_EQ(prmem_disk_zero(disk, 2 * PAGE, 800 * PAGE), 0);
	CHECK_EQ(prmem_disk_read(disk, buf, PAGE, 801 * PAGE), 0);
	prmem_disk_info(disk, &info, sizeof info);
	CHECK_EQ(info.nr_entries, NR - 512 + 1);
	prmem_disk_close(disk);
	temp_pool_reopen(&t);
	expect_clean(&t, 509);
	disk = temp_disk(&t, "d", 1);
	prmem_disk_info(disk, &info, sizeof info);
	CHECK_EQ(info.nr_entries, NR - 512 + 1);
	CHECK_EQ(prmem_disk_read(disk, buf, PAGE, 699 * PAGE), -EIO);
	CHECK_EQ(prmem_disk_zero(disk, 1 << 30, 0), 0);
	prmem_disk_info(disk, &info, sizeof info);
	CHECK_EQ(info.nr_entries, 0);
	CHECK_EQ(prmem_disk_read(disk, buf, PAGE, 699 * PAGE), 0);
	prmem_disk_close(disk);
	expect_clean(&t, 0);
	temp_pool_remove(&t);
}

static void
a_record_is_found_again(void)
{
	struct prmem_check_result r;
	struct temp_pool t;
	struct places p;
	char zeroes[4096] = {0};

	make(&t);
	p = find_places(&t);
	prmem_close(t.pool);
	/* By the proof of its slot, by its content, and when the whole directory is gone. */
	for (int how = 0; how < 3; how++) {
		if (how == 0)
			edit(&t, p.dir, zeroes, 4, true);
		else if (how == 1)
			flip(&t, p.dir, UINT64_C(0x7654321) << 36);
		else
			edit(&t, p.dir / PAGE * PAGE, zeroes, sizeof zeroes, true);
		open_expecting(&t, true);
		r = repair(&t, 0, NULL);
		CHECK(r.nr_repaired >= 1);
		prmem_close(t.pool);
		open_expecting(&t, false);
		expect_clean(&t, 0);
		expect_lost(&t, 0, 0);
		p = find_places(&t);
		prmem_close(t.pool);
	}
	temp_pool_open(&t);
	temp_pool_remove(&t);
}

static void
an_old_record_leads_to_the_newest_root(void)
{
	struct prmem_check_result r;
	struct prmem_disk *disk;
	struct temp_pool t;
	struct places p;
	char zeroes[4096] = {0};

	make(&t);
	p = find_places(&t);
	prmem_close(t.pool);
	/* The record, and the slot that could prove another one: what is left has a lower tree. */
	edit(&t, p.record, zeroes, sizeof zeroes, true);
	edit(&t, p.dir, zeroes, 8, true);
	open_expecting(&t, true);
	r = repair(&t, 0, NULL);
	CHECK_EQ(r.nr_repaired, 1);
	prmem_close(t.pool);
	open_expecting(&t, false);
	expect_clean(&t, 0);
	expect_lost(&t, 0, 0);
	disk = temp_disk(&t, "d", 1);
	CHECK(prmem_disk_is_read_only(disk));
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

static void
damaged_content_is_given_up_only_when_asked(void)
{
	struct prmem_check_result r;
	struct temp_pool t;
	struct places p;
	uint64_t page;

	make(&t);
	p = find_places(&t);
	page = (uint32_t)slot_at(t.pool, p.leaf[1] + 8 * 5) * PAGE;
	prmem_close(t.pool);
	flip(&t, page + 160, 0x70);
	open_expecting(&t, false);
	CHECK_EQ(repair(&t, 0, NULL).nr_findings, 0);
	expect_lost(&t, 517, 518);
	r = repair(&t, PRMEM_CHECK_SCRUB, NULL);
	CHECK_EQ(r.nr_lost, 1);
	prmem_close(t.pool);
	open_expecting(&t, false);
	expect_clean(&t, 1);
	expect_lost(&t, 517, 518);
	temp_pool_remove(&t);
}

static void
what_was_changed_is_kept_and_brings_the_damage_back(void)
{
	static struct kept kept;
	char *before = malloc(8 << 20), *after = malloc(8 << 20), zeroes[64] = {0};
	struct temp_pool t;
	struct places p;

	make(&t);
	p = find_places(&t);
	prmem_close(t.pool);
	edit(&t, p.leaf[0] + 64, zeroes, 64, true);
	edit(&t, p.root + 16, zeroes, 8, true);
	edit(&t, 0, before, 8 << 20, false);
	kept.nr = 0;
	open_expecting(&t, true);
	repair(&t, 0, &kept);
	prmem_close(t.pool);
	CHECK_EQ(kept.nr, 9);
	for (size_t i = kept.nr; i > 0; i--)
		edit(&t, kept.off[i - 1], kept.old[i - 1], 8, true);
	edit(&t, 0, after, 8 << 20, false);
	CHECK(memcmp(before, after, 8 << 20) == 0);
	temp_pool_open(&t);
	temp_pool_remove(&t);
	free(before);
	free(after);
}

static void
it_is_refused_where_it_cannot_be(void)
{
	struct prmem_open_args args = {.read_only = true};
	struct prmem_check_result result;
	struct prmem_disk *disk;
	struct prmem_error err;
	struct temp_pool t;

	temp_pool_make(&t, PRMEM_POOL_SIZE_MIN);
	disk = temp_disk(&t, "d", 1 << 20);
	CHECK_EQ(prmem_repair(t.pool, NULL, 0, &result, sizeof result, &err), -EBUSY);
	prmem_disk_close(disk);
	CHECK_EQ(prmem_repair(t.pool, NULL, 0, &result, sizeof result, &err), 0);
	CHECK_EQ(result.nr_findings, 0);
	CHECK_EQ(prmem_disk_create(t.pool, &(struct prmem_disk_args){.name = "e", .size_bytes = 1},
				   sizeof(struct prmem_disk_args), &err),
		 -EROFS);
	prmem_close(t.pool);
	args.path = t.path;
	CHECK_EQ(prmem_open(&args, sizeof args, &t.pool, &err), 0);
	CHECK_EQ(prmem_repair(t.pool, NULL, 0, &result, sizeof result, &err), -EROFS);
	temp_pool_remove(&t);
}

/*
 * Any damage to the index and the records, small or large: afterwards the
 * pool is writable and clean, and each page is as it was or says that it is
 * lost.
 */
static void
any_damage_ends_in_a_clean_pool(void)
{
	char *image = malloc(8 << 20), buf[PAGE], want[PAGE], junk[512];
	struct temp_pool t;
	struct places p;

	make(&t);
	p = find_places(&t);
	prmem_close(t.pool);
	edit(&t, 0, image, 8 << 20, false);
	for (int n = 0; n < unit_rounds(60); n++) {
		const uint64_t targets[] = {p.root, p.leaf[0], p.leaf[1], p.leaf[2], p.record, p.dir / PAGE * PAGE};
		struct prmem_check_result r;
		struct prmem_disk *disk;
		struct prmem_error err;

		edit(&t, 0, image, 8 << 20, true);
		for (uint64_t i = 0, nr = 1 + unit_random() % 6; i < nr; i++) {
			uint64_t off = targets[unit_random() % 6] + unit_random() % 512 * 8;
			size_t len = MIN(PAGE - off % PAGE, UINT64_C(8) << unit_random() % 7);

			for (size_t j = 0; j < sizeof junk; j++)
				junk[j] = (char)unit_random();
			if (unit_random() % 3 == 0)
				memset(junk, unit_random() % 2 ? 0xff : 0, sizeof junk);
			if (unit_random() % 2 == 0)
				flip(&t, off, UINT64_C(1) << unit_random() % 64);
			else
				edit(&t, off, junk, len, true);
		}
		temp_pool_open(&t);
		repair(&t, PRMEM_CHECK_SCRUB, NULL);
		prmem_close(t.pool);
		open_expecting(&t, false);
		{
			struct prmem_check_args args = {.flags = PRMEM_CHECK_SCRUB};

			CHECK_EQ(prmem_check(t.pool, &args, sizeof args, &r, sizeof r, NULL), 0);
			CHECK_EQ(r.nr_findings, 0);
			CHECK_EQ(r.nr_leaked, 0);
		}
		if (prmem_disk_open(t.pool, "d", &disk, &err) == 0) {
			for (uint64_t i = 0; i < NR; i++) {
				int e = prmem_disk_read(disk, buf, PAGE, i * PAGE);

				pattern(want, i);
				/* Found again without a proof: old versions are possible, and it is read-only. */
				if (prmem_disk_is_read_only(disk) && e == 0 && mem_is_zero(buf, PAGE))
					continue;
				CHECK(e == -EIO || (e == 0 && memcmp(buf, want, PAGE) == 0));
			}
			CHECK_EQ(prmem_disk_write(disk, want, PAGE, 600 * PAGE),
				 prmem_disk_is_read_only(disk) ? -EPERM : 0);
			prmem_disk_close(disk);
		}
		prmem_close(t.pool);
	}
	temp_pool_open(&t);
	temp_pool_remove(&t);
	free(image);
}

UNIT_MAIN(CASE(one_bit_anywhere_in_the_index_is_put_right), CASE(a_link_whose_proof_is_gone_is_known_by_its_node),
	  CASE(what_is_lost_says_so_until_it_is_written_anew), CASE(a_record_is_found_again),
	  CASE(an_old_record_leads_to_the_newest_root), CASE(damaged_content_is_given_up_only_when_asked),
	  CASE(what_was_changed_is_kept_and_brings_the_damage_back), CASE(it_is_refused_where_it_cannot_be),
	  CASE(any_damage_ends_in_a_clean_pool))
