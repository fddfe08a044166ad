/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nbdkit-floor-plugin: the least that a server does which keeps checksummed
 * bytes in memory, and no disk for anybody.  Reading: a copy and its CRC.
 * Writing: a non-temporal copy, the CRC, a fence, 8 bytes a page that are
 * stored and flushed, a fence.  No index, no free pages, nothing is atomic, no
 * CRC is compared: what an nbdkit plugin that does these things takes more is
 * its own.  The null plugin, which touches no memory of a disk, does less.
 *
 *	nbdkit nbdkit-floor-plugin.so file=FILE
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "common/crc32c.h"
#include "prmem/memory/pm_libpmem.h"
#include "prmem/prmem.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL
/* No crash test will look for it; any site does. */
#define SITE ((enum pm_site)0)

static char *path;
static int fd = -1;
static uint64_t size_bytes; /* of the disk; 8 bytes a page are behind it */
static struct pm *pm;

static int
floor_config(const char *key, const char *value)
{
	if (strcmp(key, "file") != 0) {
		nbdkit_error("unknown parameter %s", key);
		return -1;
	}
	free(path);
	path = nbdkit_realpath(value);
	return path == NULL ? -1 : 0;
}

static int
floor_get_ready(void)
{
	struct prmem_error err = {0};
	struct stat st;

	if (path == NULL || (fd = open(path, O_RDWR | O_CLOEXEC)) < 0 || fstat(fd, &st) < 0) {
		nbdkit_error("file=: %m");
		return -1;
	}
	size_bytes = (uint64_t)st.st_size / (PRMEM_PAGE_SIZE + 8) * PRMEM_PAGE_SIZE;
	if (pm_libpmem_map(path, fd, (uint64_t)st.st_size, false, false, &pm, &err) < 0) {
		nbdkit_error("%s", err.message);
		return -1;
	}
	/* Mapped by huge pages, as the pool is. */
	if (pm_ensure(pm, 0, pm->len_bytes) < 0) {
		nbdkit_error("%s: no room for all of it", path);
		return -1;
	}
	return 0;
}

static void
floor_unload(void)
{
	if (pm != NULL)
		pm->ops->close(pm);
	if (fd >= 0)
		close(fd);
	free(path);
}

static void *
floor_open(int readonly)
{
	(void)readonly;
	return NBDKIT_HANDLE_NOT_NEEDED;
}

static int64_t
floor_get_size(void *handle)
{
	(void)handle;
	return (int64_t)size_bytes;
}

static char *
at(uint64_t off)
{
	return (char *)pm->base + off;
}

static pm_slot *
slot_of(uint64_t off)
{
	return (pm_slot *)(void *)at(size_bytes) + off / PRMEM_PAGE_SIZE;
}

/* What a page has of a request. */
static uint32_t
part(uint32_t count, uint64_t offset)
{
	uint32_t rest = (uint32_t)(PRMEM_PAGE_SIZE - offset % PRMEM_PAGE_SIZE);

	return count < rest ? count : rest;
}

static int
floor_pread(void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t flags)
{
	uint32_t crc = 0;

	(void)handle;
	(void)flags;
	for (uint32_t n; count > 0; count -= n, offset += n, buf = (char *)buf + n) {
		n = part(count, offset);
		memcpy(buf, at(offset), n);
		crc += crc32c(0, buf, n);
	}
	/* Or the compiler leaves it out. */
	__asm__ volatile("" : : "r"(crc));
	return 0;
}

static void
store_slots(uint64_t offset, uint64_t end, uint64_t word)
{
	pm_slot *first = slot_of(offset), *last = slot_of(end - 1);

	for (pm_slot *slot = first; slot <= last; slot++)
		pm_store(pm, slot, word, SITE);
	pm_flush(pm, first, (size_t)(last + 1 - first) * sizeof *first, SITE);
	pm_fence(pm, SITE);
}

static int
floor_pwrite(void *handle, const void *buf, uint32_t count, uint64_t offset, uint32_t flags)
{
	uint64_t start = offset, crc = 1;

	(void)handle;
	(void)flags;
	for (uint32_t n; count > 0; count -= n, offset += n, buf = (const char *)buf + n) {
		n = part(count, offset);
		pm_copy(pm, at(offset), buf, n, SITE);
		crc += crc32c(0, buf, n);
	}
	pm_fence(pm, SITE);
	store_slots(start, offset, crc);
	return 0;
}

static int
floor_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	(void)handle;
	(void)flags;
	if (count > 0)
		store_slots(offset, offset + count, 0);
	return 0;
}

static int
floor_flush(void *handle, uint32_t flags)
{
	(void)handle;
	(void)flags;
	return 0;
}

static int
floor_yes(void *handle)
{
	(void)handle;
	return 1;
}

static int
floor_can_fua(void *handle)
{
	(void)handle;
	return NBDKIT_FUA_NATIVE;
}

static struct nbdkit_plugin plugin = {
	.name = "floor",
	.version = PACKAGE_VERSION,
	.unload = floor_unload,
	.config = floor_config,
	.magic_config_key = "file",
	.get_ready = floor_get_ready,
	.open = floor_open,
	.get_size = floor_get_size,
	.can_flush = floor_yes,
	.can_trim = floor_yes,
	.can_fua = floor_can_fua,
	.can_multi_conn = floor_yes,
	.pread = floor_pread,
	.pwrite = floor_pwrite,
	.flush = floor_flush,
	.trim = floor_trim,
	.errno_is_preserved = 1,
};

/* The macro below defines it and declares it nowhere. */
NBDKIT_DLL_PUBLIC struct nbdkit_plugin *plugin_init(void);

NBDKIT_REGISTER_PLUGIN(plugin)
