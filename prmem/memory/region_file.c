/* SPDX-License-Identifier: BSD-3-Clause */
/* One added region: its header, and the file or device that it lies in. */
#include "prmem/memory/region_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "common/pm.h"
#include "prmem/memory/backing.h"
#include "prmem/memory/error.h"
#include "prmem/memory/owner.h"
#include "prmem/memory/pm_libpmem.h"

uint32_t
region_header_crc(const struct region_media *header)
{
	return crc32c(0, header, offsetof(struct region_media, crc));
}

bool
region_header_is_valid(const struct region_media *header)
{
	return le64_to_cpu(header->magic) == REGION_MAGIC && le32_to_cpu(header->crc) == region_header_crc(header);
}

/* What opens files speaks of pools. */
static void
call_it_region(struct prmem_error *err)
{
	static const char pool[] = "pool ", region[] = "region ";
	size_t len;

	if (err == NULL || strncmp(err->message, pool, sizeof pool - 1) != 0)
		return;
	len = strnlen(err->message, sizeof err->message - sizeof region);
	memmove(err->message + sizeof region - 1, err->message + sizeof pool - 1, len - (sizeof pool - 1));
	memcpy(err->message, region, sizeof region - 1);
	err->message[len + sizeof region - sizeof pool] = '\0';
}

int
region_file_open(const char *path, uint64_t new_size_bytes, bool read_only, struct region_opened *ret_opened,
		 struct prmem_error *err)
{
	const struct prmem_open_args args = {
		.path = path,
		.pool_size_bytes = new_size_bytes,
		.format = new_size_bytes == 0 ? PRMEM_FORMAT_NEVER : PRMEM_FORMAT_AUTO,
		.read_only = read_only,
	};
	struct region_opened opened = {.file = calloc(1, sizeof *opened.file)};
	struct backing b;
	int r;

	if (opened.file == NULL)
		return error_set(err, -ENOMEM, "region %.200s: out of memory", path);
	snprintf(opened.file->path, sizeof opened.file->path, "%s", path);
	r = backing_open(&args, &b, err);
	if (r < 0)
		goto free_file;
	r = owner_lock_take(b.fd, b.is_device, read_only, path, &opened.file->lock, err);
	if (r < 0) {
		backing_undo(&b, path, false);
		close(b.fd);
		goto free_file;
	}
	r = backing_size(&b, &args, err);
	if (r == 0)
		r = pm_libpmem_map(path, b.fd, b.size_bytes, b.is_device, read_only, &opened.pm, err);
	if (r < 0) {
		backing_undo(&b, path, true);
		owner_lock_release(opened.file->lock);
		goto free_file;
	}
	opened.was_created = b.created;
	opened.was_empty = b.was_empty;
	*ret_opened = opened;
	return 0;

free_file:
	call_it_region(err);
	free(opened.file);
	return r;
}

void
region_file_close(const struct region_opened *opened)
{
	opened->pm->ops->close(opened->pm);
	owner_lock_release(opened->file->lock);
	free(opened->file);
}

void
region_file_undo(const struct region_opened *opened, const char *path)
{
	const struct backing b = {
		.fd = owner_lock_fd(opened->file->lock),
		.created = opened->was_created,
		.was_empty = opened->was_empty,
	};

	opened->pm->ops->close(opened->pm);
	backing_undo(&b, path, true);
	owner_lock_release(opened->file->lock);
	free(opened->file);
}
