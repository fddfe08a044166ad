/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests that open pools from outside: a directory of their own, what an
 * open said, and whether it changed anything.
 */
#ifndef PRMEM_TESTS_POOL_FILE_H
#define PRMEM_TESTS_POOL_FILE_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "prmem/format/owner_format.h"
#include "prmem/memory/superblock.h"
#include "prmem/prmem.h"
#include "tests/unit/unit.h"

#define POOL_BYTES (UINT64_C(1) << 20)
#define SKIP 77

static char work_dir[96];

static void
work_dir_remove(void)
{
	char cmd[128];

	snprintf(cmd, sizeof cmd, "rm -rf '%s'", work_dir);
	if (work_dir[0] != '\0' && system(cmd) != 0)
		fprintf(stderr, "%s: cannot be removed\n", work_dir);
	work_dir[0] = '\0';
}

/* A fresh directory under @base, or TMPDIR, or /tmp. */
static inline void
work_dir_make(const char *base)
{
	if (base == NULL)
		base = getenv("TMPDIR");
	if (base == NULL || strlen(base) > 60 || strchr(base, '\'') != NULL)
		base = "/tmp";
	snprintf(work_dir, sizeof work_dir, "%.60s/prmem-unit-XXXXXX", base);
	CHECK(mkdtemp(work_dir) != NULL);
}

/* The path of a file in it, in one of a few static buffers. */
static inline const char *
in_dir(const char *name)
{
	static char paths[8][160];
	static unsigned int next;
	char *p = paths[next++ % 8];

	snprintf(p, sizeof paths[0], "%s/%s", work_dir, name);
	return p;
}

/* ---- opening ---- */

static struct prmem_error said; /* the error of the last open that failed */
static char notices[8192]; /* what it told, one a line */

static inline void
collect_notice(void *opaque, const char *message)
{
	size_t len = strlen(notices);

	(void)opaque;
	CHECK(strchr(message, '\n') == NULL);
	snprintf(notices + len, sizeof notices - len, "%s\n", message);
}

struct how {
	uint64_t size_bytes;
	enum prmem_format format;
	bool read_only;
};

static inline int
try_open_how(const char *path, struct how how, struct prmem_pool **ret_pool)
{
	struct prmem_open_args args = {.path = path,
				       .pool_size_bytes = how.size_bytes,
				       .format = how.format,
				       .read_only = how.read_only,
				       .notice = collect_notice};
	int r;

	memset(&said, 0, sizeof said);
	notices[0] = '\0';
	r = prmem_open(&args, sizeof args, ret_pool, &said);
	if (r < 0) {
		/* Every failure is one line for people. */
		CHECK_EQ(r, said.code);
		CHECK(said.message[0] != '\0' && strchr(said.message, '\n') == NULL);
		CHECK(strlen(said.message) < sizeof said.message - 1);
	}
	return r;
}

#define try_open(path, ret_pool, ...) try_open_how(path, (struct how){__VA_ARGS__}, ret_pool)

static inline struct prmem_pool *
must_open_how(const char *path, struct how how)
{
	struct prmem_pool *pool = NULL;

	if (try_open_how(path, how, &pool) < 0) {
		fprintf(stderr, "%s\n", said.message);
		abort();
	}
	return pool;
}

#define must_open(path, ...) must_open_how(path, (struct how){__VA_ARGS__})

/* A pool with an instance in it, closed. */
static inline const char *
make_pool_file(const char *name)
{
	const char *path = in_dir(name);
	struct prmem_pool *pool = must_open(path, .size_bytes = POOL_BYTES);
	struct prmem_instance *inst;
	struct prmem_error err = {0};

	CHECK_EQ(prmem_get(pool, "test", "keep", PRMEM_CREATE, &inst, &err), 0);
	prmem_put(inst);
	prmem_close(pool);
	return path;
}

static inline bool
has_instance(struct prmem_pool *pool)
{
	struct prmem_instance *inst;

	if (prmem_get(pool, "test", "keep", 0, &inst, NULL) < 0)
		return false;
	prmem_put(inst);
	return true;
}

/* ---- the file itself ---- */

struct digest {
	uint64_t size_bytes;
	uint32_t crc;
	uint64_t mtime_ns;
};

/* Zeroes count by where they are not: a hole of gigabytes is not read, and one that was filled is the same. */
static inline struct digest
digest_of(const char *path)
{
	static char buf[1 << 20];
	struct digest d = {0};
	struct stat st;
	ssize_t n;
	off_t at = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_EQ(fstat(fd, &st), 0);
	while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
		at -= at % (off_t)sizeof buf;
		n = pread(fd, buf, sizeof buf, at);
		CHECK(n > 0);
		if (!mem_is_zero(buf, (size_t)n)) {
			d.crc = crc32c(d.crc, &at, sizeof at);
			d.crc = crc32c(d.crc, buf, (size_t)n);
		}
		at += n;
	}
	CHECK_EQ(errno, ENXIO);
	close(fd);
	d.size_bytes = (uint64_t)st.st_size;
	d.mtime_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
	return d;
}

static inline bool
same(struct digest a, struct digest b)
{
	return a.size_bytes == b.size_bytes && a.crc == b.crc;
}

static inline void
read_at(const char *path, uint64_t off, void *buf, size_t len_bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_EQ(pread(fd, buf, len_bytes, (off_t)off), len_bytes);
	close(fd);
}

static inline void
write_at(const char *path, uint64_t off, const void *buf, size_t len_bytes)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(pwrite(fd, buf, len_bytes, (off_t)off), len_bytes);
	close(fd);
}

static inline void
set_length(const char *path, uint64_t len_bytes)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(ftruncate(fd, (off_t)len_bytes), 0);
	close(fd);
}

static inline void
flip(const char *path, uint64_t off)
{
	unsigned char byte;

	read_at(path, off, &byte, 1);
	byte ^= 0x10;
	write_at(path, off, &byte, 1);
}

/* Change both superblocks' content, with a right CRC. */
static inline void
edit_superblock(const char *path, void (*edit)(struct sb_media *sb))
{
	struct sb_media sb;

	read_at(path, 0, &sb, sizeof sb);
	edit(&sb);
	sb.crc = cpu_to_le32(sb_crc(&sb));
	write_at(path, (uint64_t)SB_PFN_A * 4096, &sb, sizeof sb);
	write_at(path, (uint64_t)SB_PFN_B * 4096, &sb, sizeof sb);
}

static inline void
random_bytes_at(const char *path, uint64_t off, size_t len_bytes)
{
	uint64_t *buf = malloc(len_bytes);

	CHECK(buf != NULL && len_bytes % 8 == 0);
	for (size_t i = 0; i < len_bytes / 8; i++)
		buf[i] = unit_random();
	write_at(path, off, buf, len_bytes);
	free(buf);
}

#endif
