/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is on it?  Images as other programs make them, random bytes, zeroes:
 * as a file, and through memory as a device-DAX node is looked at.
 */
#include "prmem/memory/foreign.h"

#include <sys/mman.h>

#include "tests/unit/pool_file.h"

static struct pm mapped;
static int mapped_fd = -1;

static void
map(const char *path)
{
	struct stat st;

	mapped_fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK(mapped_fd >= 0);
	CHECK_EQ(fstat(mapped_fd, &st), 0);
	mapped.len_bytes = (uint64_t)st.st_size / 4096 * 4096;
	mapped.base = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, mapped_fd, 0);
	CHECK(mapped.base != MAP_FAILED);
}

static void
unmap(void)
{
	munmap(mapped.base, mapped.len_bytes);
	close(mapped_fd);
}

/* Both ways to look find it, and prmem_open() refuses by its name. */
static void
found(const char *path, const char *what)
{
	struct prmem_pool *pool = NULL;
	struct digest before = digest_of(path);
	char got[112];

	map(path);
	for (int is_device = 0; is_device < 2; is_device++) {
		CHECK_EQ(probe_signature(&mapped, mapped_fd, is_device, got, sizeof got), 1);
		if (strstr(got, what) == NULL)
			fprintf(stderr, "\"%s\" is not in \"%s\"\n", what, got);
		CHECK(strstr(got, what) != NULL);
	}
	unmap();
	CHECK_EQ(try_open(path, &pool, ), -EMEDIUMTYPE);
	CHECK(strstr(said.message, what) != NULL);
	CHECK_EQ(try_open(path, &pool, .size_bytes = POOL_BYTES, .read_only = true), -EMEDIUMTYPE);
	CHECK(pool == NULL);
	CHECK(same(before, digest_of(path)));
}

static void
images_of_other_programs_are_named(void)
{
	static const struct {
		const char *name;
		const char *command; /* $F is the path */
		uint64_t size_bytes;
		const char *what;
	} images[] = {
		{"ext4", "mkfs.ext4 -q -F -L 'my data' \"$F\"", 8 << 20, "a file system (ext4, labelled \"my data\")"},
		{"xfs", "mkfs.xfs -q \"$F\"", 320 << 20, "a file system (xfs)"},
		{"swap", "mkswap \"$F\"", 4 << 20, "a signature (swap)"},
		{"gpt", "echo 'label: gpt\n,1M' | sfdisk -q \"$F\"", 4 << 20, "a partition table (gpt)"},
		{"dos", "echo 'label: dos\n,1M' | sfdisk -q \"$F\"", 4 << 20, "a partition table (dos)"},
		{"btrfs", "mkfs.btrfs -q \"$F\"", 128 << 20, "a file system (btrfs)"},
		{"luks", "echo x | cryptsetup -q luksFormat --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \"$F\" -",
		 32 << 20, "an encrypted volume (crypto_LUKS)"},
	};
	char command[256];

	work_dir_make(NULL);
	for (size_t i = 0; i < sizeof images / sizeof images[0]; i++) {
		const char *path = in_dir(images[i].name);

		set_length(path, images[i].size_bytes);
		setenv("F", path, 1);
		snprintf(command, sizeof command, "PATH=$PATH:/sbin:/usr/sbin; { %s; } >/dev/null 2>&1",
			 images[i].command);
		if (system(command) != 0) {
			printf("  without %s: its tool is missing\n", images[i].name);
			continue;
		}
		printf("  %s\n", images[i].name);
		found(path, images[i].what);
		unlink(path);
	}
	work_dir_remove();
}

/* Signatures that need no tool: where the first pages are blank, and near the end. */
static void
signatures_far_from_the_start_are_found(void)
{
	static const char btrfs[] = "_BHRfS_M";
	struct prmem_pool *pool = NULL;
	const char *path;

	work_dir_make(NULL);
	path = in_dir("image");
	set_length(path, 64 << 20);
	/* btrfs's superblock is at 64 KiB: pages 0, 1 and 32 are zero. */
	write_at(path, 65536 + 64, btrfs, 8);
	CHECK_EQ(try_open(path, &pool, ), -EMEDIUMTYPE);
	CHECK(pool == NULL);
	work_dir_remove();
}

static void
random_bytes_have_no_name_but_are_data(void)
{
	const char *path;
	char got[112];
	uint64_t off;

	work_dir_make(NULL);
	path = in_dir("image");
	set_length(path, 40 << 20);
	random_bytes_at(path, 0, 1 << 20);
	map(path);
	for (int is_device = 0; is_device < 2; is_device++) {
		CHECK_EQ(probe_signature(&mapped, mapped_fd, is_device, got, sizeof got), 0);
		off = 1;
		CHECK_EQ(probe_data(&mapped, mapped_fd, is_device, 0, NULL, &off), 1);
		CHECK_EQ(off, 0);
	}
	unmap();
	work_dir_remove();
}

static void
zeroes_are_blank(void)
{
	static const uint64_t length[] = {262144, 1 << 20, (32 << 20) - 4096, 32 << 20, (32 << 20) + 4096, 100 << 20};
	const char *path;
	char got[112];
	uint64_t off;

	work_dir_make(NULL);
	path = in_dir("image");
	for (size_t i = 0; i < sizeof length / sizeof length[0]; i++) {
		set_length(path, length[i]);
		map(path);
		for (int is_device = 0; is_device < 2; is_device++) {
			CHECK_EQ(probe_signature(&mapped, mapped_fd, is_device, got, sizeof got), 0);
			CHECK_EQ(probe_data(&mapped, mapped_fd, is_device, 0, NULL, &off), 0);
		}
		unmap();
	}
	work_dir_remove();
}

/* A file is searched as a whole; of a device the edges, and a page every 2 MiB. */
static void
data_is_found_where_it_is_looked_for(void)
{
	static const uint64_t place[] = {
		0,
		4096,
		(16 << 20) - 1,
		16 << 20,
		(18 << 20) + 5,
		50 << 20,
		(84 << 20) - 4096,
		84 << 20,
		(100 << 20) - 1,
	};
	static const bool on_device[] = {true, true, true, true, true, true, false, true, true};
	const char *path;
	uint64_t off;

	work_dir_make(NULL);
	path = in_dir("image");
	for (size_t i = 0; i < sizeof place / sizeof place[0]; i++) {
		unlink(path);
		set_length(path, 100 << 20);
		write_at(path, place[i], "x", 1);
		map(path);
		CHECK_EQ(probe_data(&mapped, mapped_fd, false, 0, NULL, &off), 1);
		CHECK_EQ(off, place[i] / 4096 * 4096);
		off = 0;
		CHECK_EQ(probe_data(&mapped, mapped_fd, true, 0, NULL, &off), on_device[i]);
		CHECK(!on_device[i] || off == place[i] / 4096 * 4096);
		unmap();
	}
	work_dir_remove();
}

UNIT_MAIN(CASE(images_of_other_programs_are_named), CASE(signatures_far_from_the_start_are_found),
	  CASE(random_bytes_have_no_name_but_are_data), CASE(zeroes_are_blank),
	  CASE(data_is_found_where_it_is_looked_for))
