/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a person does to a pool and its disks: labels, properties,
 * reservations, removing and wiping; and the numbers that people watch.
 */
#include <errno.h>
#include <fcntl.h>

#include "prmem/instance/reserve.h"
#include "tests/unit/temp_pool.h"

#define PAGE PRMEM_PAGE_SIZE

static void
fill(char *buf, size_t len, char c)
{
	memset(buf, c, len);
}

static void
requests_are_counted_per_disk_and_pool(void)
{
	struct temp_pool t;
	struct prmem_disk *a, *b;
	struct prmem_stats s;
	uint64_t timed = 0;
	char buf[2 * PAGE];

	temp_pool_make(&t, 4 << 20);
	a = temp_disk(&t, "a", 1 << 20);
	b = temp_disk(&t, "b", 1 << 20);
	fill(buf, sizeof buf, 'x');
	for (int i = 0; i < 16; i++)
		CHECK_EQ(prmem_disk_write(a, buf, 2 * PAGE, 0), 0);
	CHECK_EQ(prmem_disk_read(a, buf, 100, 0), 0);
	CHECK_EQ(prmem_disk_zero(b, PAGE, 0), 0);
	CHECK_EQ(prmem_disk_read(b, buf, PAGE, 1 << 20), -EINVAL);

	CHECK_EQ(prmem_disk_stats(t.pool, "none", &s, sizeof s), -ENOENT);
	CHECK_EQ(prmem_disk_stats(t.pool, "a", &s, sizeof s), 0);
	CHECK_EQ(s.write.nr, 16);
	CHECK_EQ(s.write.bytes, 32 * PAGE);
	CHECK_EQ(s.read.nr, 1);
	CHECK_EQ(s.read.bytes, 100);
	CHECK_EQ(s.read.nr_errors, 0);
	for (int i = 0; i < PRMEM_LATENCY_BUCKETS; i++)
		timed += s.write.latency[i];
	CHECK_EQ(timed, 2);
	CHECK_EQ(prmem_disk_stats(t.pool, "b", &s, sizeof s), 0);
	CHECK_EQ(s.trim.nr, 1);
	CHECK_EQ(s.read.nr_errors, 1);

	/* A pool's numbers only grow: they outlive the disk. */
	prmem_disk_close(a);
	CHECK_EQ(prmem_disk_remove(t.pool, "a", 0, NULL, NULL, NULL), 0);
	prmem_pool_stats(t.pool, &s, sizeof s);
	CHECK_EQ(s.write.nr, 16);
	CHECK_EQ(s.trim.nr, 1);
	prmem_disk_close(b);
	temp_pool_remove(&t);
}

static void
a_label_is_kept(void)
{
	char too_long[65];
	struct prmem_pool_info info;
	struct prmem_error err;
	struct temp_pool t;

	temp_pool_make(&t, PRMEM_POOL_SIZE_MIN);
	memset(too_long, 'l', 64);
	too_long[64] = '\0';
	CHECK_EQ(prmem_set_label(t.pool, too_long, &err), -EINVAL);
	CHECK_EQ(prmem_set_label(t.pool, "a\nb", &err), -EINVAL);
	too_long[63] = '\0';
	CHECK_EQ(prmem_set_label(t.pool, too_long, &err), 0);
	temp_pool_reopen(&t);
	prmem_pool_info(t.pool, &info, sizeof info);
	CHECK_STR(info.label, too_long);
	CHECK_EQ(prmem_set_label(t.pool, "", &err), 0);
	prmem_pool_info(t.pool, &info, sizeof info);
	CHECK_STR(info.label, "");
	temp_pool_remove(&t);
}

static void
properties_of_a_disk_change_as_one(void)
{
	const bool yes = true, no = false;
	struct prmem_disk_changes changes = {.read_only = &yes, .description = "old books"};
	struct prmem_instance_info info;
	struct prmem_disk *disk;
	struct prmem_error err;
	struct temp_pool t;
	char buf[PAGE];

	temp_pool_make(&t, 4 << 20);
	disk = temp_disk(&t, "d", 1 << 20);
	fill(buf, PAGE, 'x');
	CHECK_EQ(prmem_disk_write(disk, buf, PAGE, 0), 0);
	CHECK_EQ(prmem_disk_set(t.pool, "none", &changes, sizeof changes, &err), -ENOENT);
	CHECK_EQ(prmem_disk_set(t.pool, "d", &changes, sizeof changes, &err), 0);
	prmem_disk_close(disk);
	temp_pool_reopen(&t);
	CHECK_EQ(prmem_disk_open(t.pool, "d", &disk, &err), 0);
	prmem_disk_info(disk, &info, sizeof info);
	CHECK(info.read_only && !info.reserved);
	CHECK_EQ(info.nr_handles, 1);
	CHECK_STR(info.description, "old books");
	CHECK_EQ(prmem_disk_write(disk, buf, PAGE, 0), -EPERM);
	prmem_disk_close(disk);
	changes = (struct prmem_disk_changes){.read_only = &no};
	CHECK_EQ(prmem_disk_set(t.pool, "d", &changes, sizeof changes, &err), 0);
	CHECK_EQ(prmem_disk_open(t.pool, "d", &disk, &err), 0);
	prmem_disk_info(disk, &info, sizeof info);
	CHECK_STR(info.description, "old books");
	CHECK_EQ(prmem_disk_write(disk, buf, PAGE, 0), 0);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

static uint64_t
reserved_pages(struct temp_pool *t)
{
	struct prmem_pool_info info;

	prmem_pool_info(t->pool, &info, sizeof info);
	return info.nr_reserved;
}

static void
a_reservation_can_be_made_and_given_up_later(void)
{
	const bool yes = true, no = false;
	struct prmem_disk_changes on = {.reserve = &yes}, off = {.reserve = &no};
	struct prmem_disk *disk, *other;
	struct prmem_error err;
	struct temp_pool t;
	char buf[PAGE];
	uint64_t need, pos = 0;

	temp_pool_make(&t, 4 << 20);
	disk = temp_disk(&t, "d", 1 << 20);
	other = temp_disk(&t, "other", 16 << 20);
	fill(buf, PAGE, 'x');
	for (int i = 0; i < 10; i++)
		CHECK_EQ(prmem_disk_write(disk, buf, PAGE, (uint64_t)i * PAGE), 0);
	need = instance_need_pages(1 << 20) - 10 - 1;
	CHECK_EQ(prmem_disk_set(t.pool, "d", &on, sizeof on, &err), 0);
	CHECK_EQ(reserved_pages(&t), need);
	CHECK_EQ(prmem_disk_set(t.pool, "d", &on, sizeof on, &err), 0);
	CHECK_EQ(reserved_pages(&t), need);
	CHECK_EQ(prmem_disk_set(t.pool, "other", &on, sizeof on, &err), -ENOSPC);
	CHECK_EQ(reserved_pages(&t), need);

	/* It is kept when others fill the pool, and after a new open. */
	while (prmem_disk_write(other, buf, PAGE, pos) == 0)
		pos += PAGE;
	prmem_disk_close(disk);
	prmem_disk_close(other);
	temp_pool_reopen(&t);
	CHECK_EQ(reserved_pages(&t), need);
	disk = temp_disk(&t, "d", 1);
	for (int i = 0; i < 256; i++)
		CHECK_EQ(prmem_disk_write(disk, buf, PAGE, (uint64_t)i * PAGE), 0);
	CHECK_EQ(prmem_disk_zero(disk, 1 << 19, 0), 0);
	CHECK_EQ(reserved_pages(&t), 128);
	CHECK_EQ(prmem_disk_set(t.pool, "d", &off, sizeof off, &err), 0);
	CHECK_EQ(reserved_pages(&t), 0);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

static void
a_disk_that_got_smaller_keeps_its_reservation(void)
{
	const struct prmem_disk_args args = {.name = "d", .size_bytes = 600 * PAGE, .reserve = true};
	struct prmem_disk *disk, *other;
	struct prmem_error err;
	struct temp_pool t;
	char buf[PAGE];
	uint64_t pos = 0;

	temp_pool_make(&t, 4 << 20);
	CHECK_EQ(prmem_disk_create(t.pool, &args, sizeof args, &err), 0);
	other = temp_disk(&t, "other", 16 << 20);
	disk = temp_disk(&t, "d", 1);
	fill(buf, PAGE, 'x');
	CHECK_EQ(prmem_disk_write(disk, buf, PAGE, 0), 0);
	/* Its index gets a level that a disk of two pages has no need of, and keeps it. */
	CHECK_EQ(prmem_disk_write(disk, buf, PAGE, 599 * PAGE), 0);
	CHECK_EQ(prmem_disk_resize(t.pool, "d", 2 * PAGE, true, &err), 0);
	prmem_disk_close(disk);
	CHECK_EQ(reserved_pages(&t), 1);
	while (prmem_disk_write(other, buf, PAGE, pos) == 0)
		pos += PAGE;
	prmem_disk_close(other);
	temp_pool_reopen(&t);
	CHECK_EQ(reserved_pages(&t), 1);
	disk = temp_disk(&t, "d", 1);
	CHECK_EQ(prmem_disk_write(disk, buf, PAGE, PAGE), 0);
	CHECK_EQ(reserved_pages(&t), 0);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

static int
count_progress(void *opaque, uint64_t done, uint64_t total)
{
	CHECK(done <= total);
	return --*(int *)opaque == 0;
}

/* Does a pattern stand anywhere in the pool's file? */
static bool
file_has(struct temp_pool *t, const char *pattern)
{
	static char buf[8 << 20];
	int fd = open(t->path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, buf, sizeof buf);
	bool found = memmem(buf, (size_t)n, pattern, strlen(pattern)) != NULL;

	close(fd);
	return found;
}

static void
write_secret(struct prmem_disk *disk)
{
	char buf[PAGE];

	for (int i = 0; i < 40; i++) {
		for (size_t j = 0; j + 16 <= PAGE; j += 16)
			memcpy(buf + j, "the-big-secret!!", 16);
		CHECK_EQ(prmem_disk_write(disk, buf, PAGE, (uint64_t)i * 3 * PAGE), 0);
	}
}

static void
removing_asks_for_force_and_wipes_when_told(void)
{
	struct prmem_disk *disk;
	struct prmem_error err;
	struct temp_pool t;
	uint64_t before;
	char buf[PAGE];
	int after;

	temp_pool_make(&t, 4 << 20);
	disk = temp_disk(&t, "d", 1 << 20);
	before = temp_pool_free_pages(&t);
	write_secret(disk);
	CHECK_EQ(prmem_disk_remove(t.pool, "none", 0, NULL, NULL, &err), -ENOENT);
	CHECK_EQ(prmem_disk_remove(t.pool, "d", 0, NULL, NULL, &err), -EBUSY);
	CHECK(file_has(&t, "the-big-secret"));
	after = 1000;
	CHECK_EQ(prmem_disk_remove(t.pool, "d", PRMEM_REMOVE_FORCE | PRMEM_REMOVE_WIPE, count_progress, &after, &err),
		 0);
	CHECK(after < 1000);
	CHECK(!file_has(&t, "the-big-secret"));
	CHECK_EQ(prmem_disk_read(disk, buf, PAGE, 0), -ESHUTDOWN);
	prmem_disk_close(disk);
	/* Its record is gone, too. */
	CHECK_EQ(temp_pool_free_pages(&t), before + 1);
	temp_pool_reopen(&t);
	CHECK_EQ(prmem_disk_open(t.pool, "d", &disk, &err), -ENOENT);
	temp_pool_remove(&t);
}

static void
a_wipe_that_was_interrupted_is_ended_by_the_next_open(void)
{
	struct prmem_check_result result;
	struct prmem_disk *disk;
	struct prmem_error err;
	struct temp_pool t;
	int after = 1;

	temp_pool_make(&t, 4 << 20);
	disk = temp_disk(&t, "d", 1 << 20);
	write_secret(disk);
	prmem_disk_close(disk);
	CHECK_EQ(prmem_disk_remove(t.pool, "d", PRMEM_REMOVE_WIPE, count_progress, &after, &err), -ECANCELED);
	CHECK_EQ(prmem_disk_open(t.pool, "d", &disk, &err), -ENOENT);
	CHECK(file_has(&t, "the-big-secret"));
	/* Its name is free at once, and the new disk has nothing to do with the old one. */
	prmem_disk_close(temp_disk(&t, "d", 1 << 20));
	temp_pool_reopen(&t);
	CHECK(!file_has(&t, "the-big-secret"));
	CHECK_EQ(prmem_check(t.pool, NULL, 0, &result, sizeof result, &err), 0);
	CHECK_EQ(result.nr_instances, 1);
	CHECK_EQ(result.nr_findings, 0);
	CHECK_EQ(result.nr_leaked, 0);
	temp_pool_remove(&t);
}

static void
count_notice(void *opaque, const char *message)
{
	int *nr = opaque;

	nr[0] += strstr(message, "little room") != NULL;
	nr[1] += strstr(message, "room again") != NULL;
}

static void
low_space_is_told_once_each_way(void)
{
	int nr[2] = {0, 0};
	struct prmem_pool_info info;
	struct prmem_disk *disk;
	struct temp_pool t;
	char buf[PAGE];

	temp_pool_make(&t, 4 << 20);
	prmem_close(t.pool);
	{
		struct prmem_open_args args = {.path = t.path, .notice = count_notice, .opaque = nr};

		CHECK_EQ(prmem_open(&args, sizeof args, &t.pool, NULL), 0);
	}
	prmem_set_low_space(t.pool, 1 << 20);
	disk = temp_disk(&t, "d", 16 << 20);
	fill(buf, PAGE, 'x');
	for (int round = 1; round <= 2; round++) {
		for (uint64_t pos = 0; prmem_disk_write(disk, buf, PAGE, pos) == 0; pos += PAGE) {
		}
		CHECK_EQ(nr[0], round);
		CHECK_EQ(nr[1], round - 1);
		prmem_pool_info(t.pool, &info, sizeof info);
		CHECK(info.is_low && info.low_space_bytes == 1 << 20);
		CHECK_EQ(prmem_disk_zero(disk, 16 << 20, 0), 0);
		CHECK_EQ(nr[1], round);
	}
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

UNIT_MAIN(CASE(requests_are_counted_per_disk_and_pool), CASE(a_label_is_kept), CASE(properties_of_a_disk_change_as_one),
	  CASE(a_reservation_can_be_made_and_given_up_later), CASE(a_disk_that_got_smaller_keeps_its_reservation),
	  CASE(removing_asks_for_force_and_wipes_when_told),
	  CASE(a_wipe_that_was_interrupted_is_ended_by_the_next_open), CASE(low_space_is_told_once_each_way))
