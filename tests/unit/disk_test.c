/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pram disks: bytes in are bytes out, holes are holes, ends are ends.
 */
#include <errno.h>

#include "tests/unit/temp_pool.h"

#define PAGE PRMEM_PAGE_SIZE

static void
fill(char *buf, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (char)(mix64(seed + i / 8) >> (i % 8 * 8) | 1);
}

static bool
is_zero(const char *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (buf[i] != 0)
			return false;
	}
	return true;
}

static uint64_t
entries(struct prmem_disk *disk)
{
	struct prmem_instance_info info;

	prmem_disk_info(disk, &info, sizeof info);
	return info.nr_entries;
}

static void
a_new_disk_reads_as_zeroes(void)
{
	struct temp_pool t;
	struct prmem_disk *disk;
	char buf[3 * PAGE];

	temp_pool_make(&t, 4 << 20);
	disk = temp_disk(&t, "pram0", 1 << 20);
	memset(buf, 0xff, sizeof buf);
	CHECK_EQ(prmem_disk_read(disk, buf, sizeof buf, 12345), 0);
	CHECK(is_zero(buf, sizeof buf));
	CHECK_EQ(entries(disk), 0);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

static void
random_requests_match_a_plain_buffer(void)
{
	enum { SIZE = 700 * 4096 + 123 };
	struct temp_pool t;
	struct prmem_disk *disk;
	char *model = calloc(1, SIZE), *buf = malloc(SIZE);

	temp_pool_make(&t, 8 << 20);
	disk = temp_disk(&t, "pram0", SIZE);
	for (int i = 0; i < unit_rounds(3000); i++) {
		uint64_t off = unit_random() % SIZE;
		uint64_t max = unit_random() % 4 == 0 ? SIZE : 3 * PAGE;
		uint64_t len = 1 + unit_random() % (SIZE - off < max ? SIZE - off : max);

		if (unit_random() % 2 == 0)
			off = off / 512 * 512;
		if (off + len > SIZE)
			len = SIZE - off;
		switch (unit_random() % 5) {
		case 0:
		case 1:
			fill(buf, len, unit_random());
			CHECK_EQ(prmem_disk_write(disk, buf, len, off), 0);
			memcpy(model + off, buf, len);
			break;
		case 2:
			CHECK_EQ(prmem_disk_zero(disk, len, off), 0);
			memset(model + off, 0, len);
			break;
		case 3:
			memset(buf, 0, len);
			CHECK_EQ(prmem_disk_write(disk, buf, len, off), 0);
			memset(model + off, 0, len);
			break;
		default:
			CHECK_EQ(prmem_disk_read(disk, buf, len, off), 0);
			CHECK(memcmp(buf, model + off, len) == 0);
		}
		if (i % 500 == 499) {
			prmem_disk_close(disk);
			temp_pool_reopen(&t);
			disk = temp_disk(&t, "pram0", 1);
			CHECK_EQ(prmem_disk_size(disk), SIZE);
			CHECK_EQ(prmem_disk_cache(disk, SIZE, 0), 0);
		}
	}
	CHECK_EQ(prmem_disk_read(disk, buf, SIZE, 0), 0);
	CHECK(memcmp(buf, model, SIZE) == 0);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
	free(model);
	free(buf);
}

static void
zeroes_take_no_page_and_trim_gives_all_back(void)
{
	struct temp_pool t;
	struct prmem_disk *disk;
	uint64_t before;
	char *buf = calloc(1, 1 << 20);

	temp_pool_make(&t, 16 << 20);
	disk = temp_disk(&t, "pram0", UINT64_C(8) << 30);
	before = temp_pool_free_pages(&t);
	CHECK_EQ(prmem_disk_write(disk, buf, 1 << 20, 5 * PAGE), 0);
	CHECK_EQ(prmem_disk_write(disk, buf, 700, 100), 0);
	CHECK_EQ(prmem_disk_zero(disk, UINT64_C(4) << 30, 100), 0);
	CHECK_EQ(temp_pool_free_pages(&t), before);

	fill(buf, 1 << 20, 1);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(prmem_disk_write(disk, buf, 1 << 20, (UINT64_C(1) << 30) * i + i * 100), 0);
	CHECK(entries(disk) >= 8 * 256);
	CHECK(temp_pool_free_pages(&t) < before - 8 * 256);
	CHECK_EQ(prmem_disk_zero(disk, UINT64_C(8) << 30, 0), 0);
	CHECK_EQ(entries(disk), 0);
	CHECK_EQ(temp_pool_free_pages(&t), before);

	/* Written and overwritten by zeroes is a hole again, too. */
	CHECK_EQ(prmem_disk_write(disk, buf, 3 * PAGE, PAGE), 0);
	CHECK_EQ(entries(disk), 3);
	memset(buf, 0, 3 * PAGE);
	CHECK_EQ(prmem_disk_write(disk, buf, 3 * PAGE, PAGE), 0);
	CHECK_EQ(entries(disk), 0);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
	free(buf);
}

struct extent {
	uint64_t off, len;
	bool hole;
};

struct extents {
	struct extent e[16];
	int nr, limit;
};

static int
collect(void *opaque, uint64_t off, uint64_t len, bool hole)
{
	struct extents *x = opaque;

	CHECK(x->nr < 16);
	x->e[x->nr++] = (struct extent){off, len, hole};
	return x->nr == x->limit ? -EINTR : 0;
}

static void
extents_are_exact_and_clipped(void)
{
	struct temp_pool t;
	struct prmem_disk *disk;
	struct extents x = {.nr = 0};
	uint64_t size = UINT64_C(6) << 30;
	char buf[2 * PAGE];

	temp_pool_make(&t, 4 << 20);
	disk = temp_disk(&t, "pram0", size);
	fill(buf, sizeof buf, 7);
	CHECK_EQ(prmem_disk_write(disk, buf, 2 * PAGE, 10 * PAGE), 0);
	CHECK_EQ(prmem_disk_write(disk, buf, 100, (UINT64_C(5) << 30) + 50), 0);

	CHECK_EQ(prmem_disk_extents(disk, size, 0, false, collect, &x), 0);
	CHECK_EQ(x.nr, 5);
	CHECK(x.e[0].hole && x.e[0].off == 0 && x.e[0].len == 10 * PAGE);
	CHECK(!x.e[1].hole && x.e[1].off == 10 * PAGE && x.e[1].len == 2 * PAGE);
	CHECK(x.e[2].hole && x.e[2].off + x.e[2].len == UINT64_C(5) << 30);
	CHECK(!x.e[3].hole && x.e[3].len == PAGE);
	CHECK(x.e[4].hole && x.e[4].off + x.e[4].len == size);

	x.nr = 0;
	CHECK_EQ(prmem_disk_extents(disk, 100, 10 * PAGE + 30, false, collect, &x), 0);
	CHECK_EQ(x.nr, 1);
	CHECK(!x.e[0].hole && x.e[0].off == 10 * PAGE + 30 && x.e[0].len == 100);

	x.nr = 0;
	CHECK_EQ(prmem_disk_extents(disk, size - 5, 5, true, collect, &x), 0);
	CHECK_EQ(x.nr, 1);
	CHECK(x.e[0].hole && x.e[0].off == 5 && x.e[0].len == 10 * PAGE - 5);

	x.nr = 0;
	x.limit = 2;
	CHECK_EQ(prmem_disk_extents(disk, size, 0, false, collect, &x), -EINTR);
	CHECK_EQ(x.nr, 2);

	x.nr = x.limit = 0;
	CHECK_EQ(prmem_disk_zero(disk, PAGE, 11 * PAGE), 0);
	CHECK_EQ(prmem_disk_extents(disk, 12 * PAGE, 0, false, collect, &x), 0);
	CHECK_EQ(x.nr, 3);
	CHECK(!x.e[1].hole && x.e[1].len == PAGE);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

static void
the_largest_disk_works_at_its_last_byte(void)
{
	struct temp_pool t;
	struct prmem_disk *disk;
	char buf[PAGE], back[PAGE];

	temp_pool_make(&t, 4 << 20);
	disk = temp_disk(&t, "big", PRMEM_DISK_SIZE_MAX);
	fill(buf, sizeof buf, 3);
	CHECK_EQ(prmem_disk_write(disk, buf, 1, PRMEM_DISK_SIZE_MAX - 1), 0);
	CHECK_EQ(prmem_disk_write(disk, buf, PAGE, 0), 0);
	CHECK_EQ(prmem_disk_write(disk, buf, 1, PRMEM_DISK_SIZE_MAX), -EINVAL);
	CHECK_EQ(prmem_disk_read(disk, back, 2, PRMEM_DISK_SIZE_MAX - 1), -EINVAL);
	CHECK_EQ(prmem_disk_read(disk, back, PAGE, PRMEM_DISK_SIZE_MAX - PAGE), 0);
	CHECK_EQ(back[PAGE - 1], buf[0]);
	CHECK(is_zero(back, PAGE - 1));
	CHECK_EQ(prmem_disk_zero(disk, PRMEM_DISK_SIZE_MAX, 0), 0);
	CHECK_EQ(entries(disk), 0);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

static void
a_full_pool_is_enospc_and_nothing_else(void)
{
	struct temp_pool t;
	struct prmem_disk *disk;
	char *buf = malloc(64 * PAGE), *back = malloc(64 * PAGE);
	uint64_t off = 0, end;
	int r;

	temp_pool_make(&t, 1 << 20);
	disk = temp_disk(&t, "pram0", 4 << 20);
	fill(buf, 64 * PAGE, 1);
	while ((r = prmem_disk_write(disk, buf, PAGE, off)) == 0)
		off += PAGE;
	CHECK_EQ(r, -ENOSPC);
	end = off;
	CHECK(end > (1 << 20) * 3 / 4);

	/* Overwriting, zeroing a part and trimming go on, again and again. */
	for (int round = 0; round < 20; round++) {
		fill(buf, 64 * PAGE, (uint64_t)round);
		for (off = 0; off + 64 * PAGE <= end; off += 64 * PAGE)
			CHECK_EQ(prmem_disk_write(disk, buf, 64 * PAGE, off), 0);
		CHECK_EQ(prmem_disk_write(disk, buf, 100, 77), 0);
		CHECK_EQ(prmem_disk_zero(disk, 10, PAGE + 5), 0);
	}
	CHECK_EQ(prmem_disk_write(disk, buf, PAGE, end), -ENOSPC);
	CHECK_EQ(prmem_disk_read(disk, back, 64 * PAGE, 64 * PAGE), 0);
	CHECK(memcmp(buf, back, 64 * PAGE) == 0);

	/* What is trimmed can be written elsewhere. */
	CHECK_EQ(prmem_disk_zero(disk, 64 * PAGE, 0), 0);
	CHECK_EQ(prmem_disk_write(disk, buf, 60 * PAGE, end), 0);
	prmem_disk_close(disk);
	temp_pool_reopen(&t);
	disk = temp_disk(&t, "pram0", 1);
	CHECK_EQ(prmem_disk_read(disk, back, 60 * PAGE, end), 0);
	CHECK(memcmp(buf, back, 60 * PAGE) == 0);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
	free(buf);
	free(back);
}

static void
resizing_keeps_what_fits_and_shows_no_old_data(void)
{
	struct temp_pool t;
	struct prmem_disk *disk;
	struct prmem_error err;
	char buf[4 * PAGE], back[4 * PAGE];

	temp_pool_make(&t, 4 << 20);
	disk = temp_disk(&t, "pram0", 4 * PAGE);
	fill(buf, sizeof buf, 9);
	CHECK_EQ(prmem_disk_write(disk, buf, sizeof buf, 0), 0);
	CHECK_EQ(prmem_disk_resize(t.pool, "pram0", PAGE + 100, false, &err), -EEXIST);
	CHECK_EQ(prmem_disk_resize(t.pool, "pram0", PAGE + 100, true, &err), 0);
	CHECK_EQ(prmem_disk_read(disk, back, 4 * PAGE, 0), -EINVAL);
	prmem_disk_close(disk);
	CHECK_EQ(prmem_disk_resize(t.pool, "pram0", UINT64_C(4) << 30, false, &err), 0);
	temp_pool_reopen(&t);
	disk = temp_disk(&t, "pram0", 1);
	CHECK_EQ(prmem_disk_size(disk), UINT64_C(4) << 30);
	CHECK_EQ(prmem_disk_read(disk, back, 4 * PAGE, 0), 0);
	CHECK(memcmp(buf, back, PAGE + 100) == 0);
	CHECK(is_zero(back + PAGE + 100, 3 * PAGE - 100));
	CHECK_EQ(entries(disk), 2);
	CHECK_EQ(prmem_disk_resize(t.pool, "pram0", 0, true, &err), -EINVAL);
	CHECK_EQ(prmem_disk_resize(t.pool, "pram0", PRMEM_DISK_SIZE_MAX + 1, true, &err), -EINVAL);
	CHECK_EQ(prmem_disk_resize(t.pool, "none", PAGE, true, &err), -ENOENT);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

static void
a_reserved_disk_always_has_room(void)
{
	struct temp_pool t;
	struct prmem_disk_args args = {.name = "r", .size_bytes = 1 << 20, .reserve = true};
	struct prmem_disk *r, *other;
	struct prmem_error err;
	char *buf = malloc(1 << 20);
	uint64_t off = 0;

	temp_pool_make(&t, 4 << 20);
	CHECK_EQ(prmem_disk_create(t.pool, &args, sizeof args, &err), 0);
	args.name = "too-big";
	args.size_bytes = 4 << 20;
	CHECK_EQ(prmem_disk_create(t.pool, &args, sizeof args, &err), -ENOSPC);
	other = temp_disk(&t, "other", 16 << 20);
	fill(buf, 1 << 20, 4);
	while (prmem_disk_write(other, buf, PAGE, off) == 0)
		off += PAGE;
	CHECK_EQ(prmem_disk_open(t.pool, "r", &r, &err), 0);
	CHECK_EQ(prmem_disk_write(r, buf, 1 << 19, 0), 0);
	prmem_disk_close(r);
	prmem_disk_close(other);
	temp_pool_reopen(&t);
	other = temp_disk(&t, "other", 1);
	CHECK_EQ(prmem_disk_write(other, buf, PAGE, off), -ENOSPC);
	CHECK_EQ(prmem_disk_open(t.pool, "r", &r, &err), 0);
	CHECK_EQ(prmem_disk_write(r, buf, 1 << 20, 0), 0);
	CHECK_EQ(prmem_disk_zero(r, 1 << 20, 0), 0);
	CHECK_EQ(prmem_disk_write(other, buf, PAGE, off), -ENOSPC);
	CHECK_EQ(prmem_disk_write(r, buf, 1 << 20, 0), 0);
	prmem_disk_close(r);
	CHECK_EQ(prmem_remove(t.pool, PRMEM_SUBSYSTEM_RAMDISK, "r", &err), 0);
	CHECK_EQ(prmem_disk_write(other, buf, PAGE, off), 0);
	prmem_disk_close(other);
	temp_pool_remove(&t);
	free(buf);
}

static void
a_removed_disk_answers_its_open_handles_with_an_error(void)
{
	struct temp_pool t;
	struct prmem_disk *disk;
	struct prmem_error err;
	uint64_t before;
	char buf[PAGE];

	temp_pool_make(&t, 4 << 20);
	before = temp_pool_free_pages(&t);
	disk = temp_disk(&t, "pram0", 1 << 20);
	fill(buf, sizeof buf, 1);
	CHECK_EQ(prmem_disk_write(disk, buf, PAGE, 0), 0);
	CHECK_EQ(prmem_remove(t.pool, PRMEM_SUBSYSTEM_RAMDISK, "pram0", &err), 0);
	CHECK_EQ(prmem_disk_read(disk, buf, PAGE, 0), -ESHUTDOWN);
	CHECK_EQ(prmem_disk_write(disk, buf, PAGE, 0), -ESHUTDOWN);
	CHECK_EQ(prmem_disk_write(disk, buf, 10, 0), -ESHUTDOWN);
	CHECK_EQ(prmem_disk_zero(disk, PAGE, 0), -ESHUTDOWN);
	prmem_disk_close(disk);
	/* The directory keeps its one node. */
	CHECK_EQ(before - temp_pool_free_pages(&t) <= 1, 1);
	disk = temp_disk(&t, "pram0", 1 << 20);
	CHECK_EQ(prmem_disk_read(disk, buf, PAGE, 0), 0);
	CHECK(is_zero(buf, PAGE));
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

static void
a_read_only_disk_says_eperm(void)
{
	struct temp_pool t;
	struct prmem_disk_args args = {.name = "ro", .size_bytes = 1 << 20, .read_only = true, .description = "kept"};
	struct prmem_instance_info info;
	struct prmem_disk *disk;
	struct prmem_error err;
	char buf[PAGE] = {1};

	temp_pool_make(&t, 4 << 20);
	CHECK_EQ(prmem_disk_create(t.pool, &args, sizeof args, &err), 0);
	CHECK_EQ(prmem_disk_create(t.pool, &args, sizeof args, &err), -EEXIST);
	CHECK_EQ(prmem_disk_open(t.pool, "ro", &disk, &err), 0);
	CHECK(prmem_disk_is_read_only(disk));
	CHECK_EQ(prmem_disk_write(disk, buf, PAGE, 0), -EPERM);
	CHECK_EQ(prmem_disk_zero(disk, PAGE, 0), -EPERM);
	CHECK_EQ(prmem_disk_read(disk, buf, PAGE, 0), 0);
	prmem_disk_info(disk, &info, sizeof info);
	CHECK_STR(info.description, "kept");
	CHECK(info.read_only && !info.reserved && !info.damaged);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

UNIT_MAIN(CASE(a_new_disk_reads_as_zeroes), CASE(random_requests_match_a_plain_buffer),
	  CASE(zeroes_take_no_page_and_trim_gives_all_back), CASE(extents_are_exact_and_clipped),
	  CASE(the_largest_disk_works_at_its_last_byte), CASE(a_full_pool_is_enospc_and_nothing_else),
	  CASE(resizing_keeps_what_fits_and_shows_no_old_data), CASE(a_reserved_disk_always_has_room),
	  CASE(a_removed_disk_answers_its_open_handles_with_an_error), CASE(a_read_only_disk_says_eperm))
