/* SPDX-License-Identifier: BSD-3-Clause */
/* The templates, and the pool that is made from one. */
#include "tests/fault/scene.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "prmem/instance/instance.h"
#include "prmem/memory/superblock.h"

#define PAGE PRMEM_PAGE_SIZE
#define MAX_BYTES (2 * SCENE_BYTES)

struct image {
	bool exists;
	size_t len_bytes;
	char *bytes;
};

static struct image images[NR_TEMPLATES], region_image;

/* ---- files ---- */

static void
load(const char *path, struct image *image)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	image->exists = fd >= 0;
	image->len_bytes = 0;
	if (fd < 0)
		return;
	image->bytes = malloc(MAX_BYTES);
	CHECK(image->bytes != NULL);
	image->len_bytes = (size_t)pread(fd, image->bytes, MAX_BYTES, 0);
	CHECK(image->len_bytes <= MAX_BYTES);
	close(fd);
}

static void
save(const char *path, const struct image *image)
{
	int fd;

	unlink(path);
	if (!image->exists)
		return;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	CHECK_EQ(pwrite(fd, image->bytes, image->len_bytes, 0), image->len_bytes);
	close(fd);
}

struct digest
scene_digest(const struct scene *s)
{
	struct image image = {0};
	struct digest d;

	load(s->path, &image);
	d = (struct digest){image.exists, image.len_bytes, crc32c(0, image.bytes, image.len_bytes)};
	free(image.bytes);
	return d;
}

bool
scene_is_unchanged(const struct scene *s, struct digest before, bool or_empty)
{
	struct digest d = scene_digest(s);

	if (or_empty && !before.exists && d.exists && d.len_bytes == 0)
		return true;
	return d.exists == before.exists && d.len_bytes == before.len_bytes && d.crc == before.crc;
}

/* ---- the pool ---- */

static void
pattern(char *page, uint32_t idx)
{
	for (size_t i = 0; i < PAGE; i += 8) {
		uint64_t word = mix64(idx * UINT64_C(1000) + i) | 1;

		memcpy(page + i, &word, 8);
	}
}

int
scene_open(struct scene *s, bool read_only, uint64_t size_bytes, struct prmem_error *err)
{
	const struct prmem_open_args args = {
		.path = s->path, .pool_size_bytes = size_bytes, .read_only = read_only, .nr_mark_threads = 2};

	return prmem_open(&args, sizeof args, &s->pool, err);
}

void
must_open(struct scene *s)
{
	struct prmem_error err = {0};

	if (scene_open(s, false, SCENE_BYTES, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		abort();
	}
	CHECK_EQ(prmem_disk_open(s->pool, "a", &s->disk, NULL), 0);
}

void
scene_close(struct scene *s)
{
	if (s->inst != NULL)
		prmem_put(s->inst);
	prmem_disk_close(s->disk);
	prmem_close(s->pool);
	s->inst = NULL;
	s->disk = NULL;
	s->pool = NULL;
	s->object = NULL;
}

bool
scene_a_is_whole(struct scene *s)
{
	struct prmem_disk *disk;
	char want[PAGE], got[PAGE];
	bool whole = true;

	if (prmem_disk_open(s->pool, "a", &disk, NULL) < 0)
		return false;
	for (uint32_t i = 0; i < SCENE_PAGES; i++) {
		pattern(want, i);
		whole = whole && prmem_disk_read(disk, got, PAGE, i * PAGE) == 0 && memcmp(want, got, PAGE) == 0;
	}
	prmem_disk_close(disk);
	return whole;
}

static void
fill(struct scene *s)
{
	struct prmem_disk_args args = {.name = "a", .size_bytes = 8 << 20};
	char page[PAGE];
	xa_entry_t entry;

	CHECK_EQ(prmem_disk_create(s->pool, &args, sizeof args, NULL), 0);
	CHECK_EQ(prmem_disk_open(s->pool, "a", &s->disk, NULL), 0);
	for (uint32_t i = 0; i < SCENE_PAGES; i++) {
		pattern(page, i);
		CHECK_EQ(prmem_disk_write(s->disk, page, PAGE, i * PAGE), 0);
	}
	args = (struct prmem_disk_args){.name = "b", .size_bytes = 1 << 20};
	CHECK_EQ(prmem_disk_create(s->pool, &args, sizeof args, NULL), 0);
	prmem_disk_close(s->disk);
	CHECK_EQ(prmem_disk_open(s->pool, "b", &s->disk, NULL), 0);
	CHECK_EQ(prmem_disk_write(s->disk, page, PAGE, 5 * PAGE), 0);
	CHECK_EQ(prmem_get(s->pool, "test", "i", PRMEM_CREATE, &s->inst, NULL), 0);
	CHECK_EQ(prmem_alloc(s->pool, 100, &s->object), 0);
	memset(s->object, 1, 100);
	CHECK_EQ(prmem_mk_entry(s->inst, 3, s->object, &entry), 0);
	CHECK_EQ(xa_store(prmem_xarray(s->inst), 3, entry), 0);
}

static int
stop_at_once(void *opaque, uint64_t done, uint64_t total)
{
	(void)opaque;
	(void)done;
	(void)total;
	return 1;
}

/* What is at a word of the image of a pool changes, and the superblocks' checksums with it. */
static void
edit_superblocks(struct image *image, uint64_t grow_to_pages)
{
	static const uint32_t pfns[2] = {SB_PFN_A, SB_PFN_B};

	for (int i = 0; i < 2; i++) {
		struct sb_media *sb = (void *)(image->bytes + pfns[i] * PAGE);

		sb->grow_to_pages = cpu_to_le64(grow_to_pages);
		sb->crc = cpu_to_le32(sb_crc(sb));
	}
}

static void
copy_image(struct image *to, const struct image *from)
{
	*to = *from;
	to->bytes = malloc(MAX_BYTES);
	CHECK(to->bytes != NULL);
	memcpy(to->bytes, from->bytes, from->len_bytes);
}

void
scene_make(struct scene *s)
{
	const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	const struct prmem_region_args region = {.path = s->region, .region_size_bytes = SCENE_BYTES};
	uint64_t slot_off;

	snprintf(s->dir, sizeof s->dir, "%s/prmem-fault-XXXXXX", base);
	CHECK(mkdtemp(s->dir) != NULL);
	snprintf(s->path, sizeof s->path, "%s/pool", s->dir);
	snprintf(s->region, sizeof s->region, "%s/region", s->dir);
	CHECK_EQ(scene_open(s, false, SCENE_BYTES, NULL), 0);
	fill(s);
	scene_close(s);
	load(s->path, &images[POOL]);

	must_open(s);
	slot_off = (uint64_t)(uint32_t)atomic_load(&(*(struct prmem_instance **)(void *)s->disk)->xa.root);
	scene_close(s);
	CHECK_EQ(scene_open(s, false, 0, NULL), 0);
	CHECK_EQ(prmem_disk_remove(s->pool, "b", PRMEM_REMOVE_WIPE, stop_at_once, NULL, NULL), -ECANCELED);
	scene_close(s);
	load(s->path, &images[POOL_UNFINISHED]);

	save(s->path, &images[POOL]);
	CHECK_EQ(scene_open(s, false, 0, NULL), 0);
	CHECK_EQ(prmem_add_region(s->pool, &region, sizeof region, NULL), 0);
	scene_close(s);
	load(s->path, &images[POOL_OF_TWO]);
	load(s->region, &region_image);

	images[EMPTY_FILE] = (struct image){.exists = true};
	images[FILE_OF_ZEROES] = (struct image){true, SCENE_BYTES, calloc(1, MAX_BYTES)};
	CHECK(images[FILE_OF_ZEROES].bytes != NULL);
	copy_image(&images[POOL_SB_DAMAGED], &images[POOL]);
	images[POOL_SB_DAMAGED].bytes[SB_PFN_B * PAGE + 50] ^= 1;
	/* "a" is 8 MiB: two levels, so the leaf is below. */
	copy_image(&images[POOL_BIT_FLIPPED], &images[POOL]);
	images[POOL_BIT_FLIPPED].bytes[slot_off * PAGE + 8 * 400] ^= 1;
	copy_image(&images[POOL_CUT_GROWTH], &images[POOL]);
	memset(images[POOL_CUT_GROWTH].bytes + SCENE_BYTES, 0, SCENE_BYTES / 2);
	images[POOL_CUT_GROWTH].len_bytes += SCENE_BYTES / 2;
	edit_superblocks(&images[POOL_CUT_GROWTH], 2 * SCENE_BYTES / PAGE);
}

void
scene_remove(struct scene *s)
{
	unlink(s->path);
	unlink(s->region);
	rmdir(s->dir);
	for (int i = 0; i < NR_TEMPLATES; i++)
		free(images[i].bytes);
	free(region_image.bytes);
}

void
scene_set(struct scene *s, const struct op *op)
{
	save(s->path, &images[op->template]);
	unlink(s->region);
	if (op->template == POOL_OF_TWO)
		save(s->region, &region_image);
}

/* ---- afterwards ---- */

int
scene_judge(struct scene *s, const struct op *op, char *what, size_t what_bytes)
{
	const struct prmem_check_args args = {.flags = PRMEM_CHECK_SCRUB};
	struct prmem_check_result result;
	struct prmem_error err = {0};
	int state = 0;

	if (scene_open(s, false, SCENE_BYTES, &err) < 0) {
		snprintf(what, what_bytes, "it does not open any more: %s", err.message);
		return -1;
	}
	if (prmem_check(s->pool, &args, sizeof args, &result, sizeof result, &err) < 0 || result.nr_leaked != 0 ||
	    (result.nr_findings != 0 && op->template != POOL_BIT_FLIPPED)) {
		snprintf(what, what_bytes, "%llu findings, %llu pages leaked", (unsigned long long)result.nr_findings,
			 (unsigned long long)result.nr_leaked);
		state = -1;
	} else if (op->template >= POOL && !scene_a_is_whole(s)) {
		snprintf(what, what_bytes, "what was on the disk is not there any more");
		state = -1;
	} else if (op->state != NULL) {
		state = op->state(s);
		if (state < 0)
			snprintf(what, what_bytes, "it is neither as it was nor as it was to be");
	}
	scene_close(s);
	return state;
}
