/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * export and import: what a disk holds, from hole to hole.
 *
 * An import fills a disk that nobody sees, which gets its name in the end, and
 * takes the place of the one that had it, in one step: so a disk is there as a
 * whole or not at all, and what was there before stays until then.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "control/verb.h"

/* Extents that are looked up at a time: nobody waits while they are copied. */
#define NR_EXTENTS 256

struct extents {
	struct {
		uint64_t off;
		uint64_t len_bytes;
	} data[NR_EXTENTS];
	unsigned int nr;
	uint64_t end; /* of what has been looked up */
};

static int
note_extent(void *opaque, uint64_t off, uint64_t len_bytes, bool hole)
{
	struct extents *extents = opaque;

	if (!hole) {
		extents->data[extents->nr].off = off;
		extents->data[extents->nr].len_bytes = len_bytes;
		extents->nr++;
	}
	extents->end = off + len_bytes;
	return extents->nr == NR_EXTENTS;
}

struct export
{
	const struct control *control;
	struct prmem_disk *disk;
	const char *name;
	void *buf; /* of CONTROL_DATA_MAX bytes */
	uint64_t size_bytes;
	uint64_t nr_data_bytes;
};

static int
export_extent(struct export *x, uint64_t off, uint64_t len_bytes, struct prmem_error *err)
{
	const struct control_io *io = x->control->io;

	while (len_bytes > 0) {
		uint32_t part = len_bytes < CONTROL_DATA_MAX ? (uint32_t)len_bytes : CONTROL_DATA_MAX;
		int r = prmem_disk_read(x->disk, x->buf, part, off);

		if (r < 0)
			return verb_error(err, r, "disk %.80s: cannot be read between %" PRIu64 " and %" PRIu64 ": %s",
					  x->name, off, off + part, strerror(-r));
		r = io->data(io->opaque, x->buf, part, off);
		off += part;
		len_bytes -= part;
		x->nr_data_bytes += part;
		if (r == 0)
			r = report_progress(x->control, off, x->size_bytes);
		if (r < 0)
			return verb_error(err, r, "disk %.80s: was not exported: %s", x->name,
					  r == -ECANCELED ? "it was interrupted" : strerror(-r));
	}
	return 0;
}

static int
export_all(struct export *x, struct prmem_error *err)
{
	struct extents *extents = calloc(1, sizeof *extents);
	int r = extents == NULL ? -ENOMEM : 0;

	while (r == 0 && extents->end < x->size_bytes) {
		extents->nr = 0;
		r = prmem_disk_extents(x->disk, x->size_bytes - extents->end, extents->end, false, note_extent,
				       extents);
		if (r < 0) {
			r = verb_error(err, r, "disk %.80s: cannot be looked through: %s", x->name, strerror(-r));
			break;
		}
		r = 0;
		for (unsigned int i = 0; r == 0 && i < extents->nr; i++)
			r = export_extent(x, extents->data[i].off, extents->data[i].len_bytes, err);
	}
	free(extents);
	return r;
}

int
verb_export(const struct control *control, struct json_object *request, struct json_object *result,
	    struct prmem_error *err)
{
	struct export x = {.control = control, .name = get_text(request, "disk")};
	int r = open_disk(control, x.name, &x.disk, err);

	if (r < 0)
		return r;
	x.size_bytes = prmem_disk_size(x.disk);
	x.buf = malloc(CONTROL_DATA_MAX);
	if (x.buf == NULL)
		r = -ENOMEM;
	else
		r = control->io->begin(control->io->opaque, x.size_bytes);
	if (r == 0)
		r = export_all(&x, err);
	prmem_disk_close(x.disk);
	free(x.buf);
	put_text(result, "name", x.name);
	put_number(result, "size", x.size_bytes);
	put_number(result, "data", x.nr_data_bytes);
	return r;
}

/* ---- import ---- */

struct import {
	const struct control *control;
	const char *name;
	bool replaces; /* there is one of that name */
	uint64_t replaced_bytes; /* the size that it has */
	struct prmem_disk *disk;
	uint64_t size_bytes; /* 0: not known before the end */
	uint64_t data_bytes; /* of it at most, or 0: not known */
	uint64_t nr_data_bytes; /* taken in */
};

/* What can be refused is refused before anything is taken in. */
static int
import_look(struct import *m, bool force, struct prmem_error *err)
{
	struct prmem_instance_info old;

	m->replaces = find_disk(m->control, m->name, &old, err) == 0;
	if (!m->replaces)
		return 0;
	m->replaced_bytes = old.size_bytes;
	if (!force)
		return verb_error(err, -EEXIST, "disk %s exists: --force replaces it by what is imported", m->name);
	if (old.read_only)
		return verb_error(err, -EPERM, "disk %s is read-only: set read-only=off first", m->name);
	if (old.nr_handles > 0)
		return verb_error(err, -EBUSY, "disk %s is in use; detach its clients", m->name);
	return 0;
}

static int
import_start(struct import *m, struct prmem_error *err)
{
	const struct prmem_disk_args args = {
		.name = m->name,
		.size_bytes = m->size_bytes != 0 ? m->size_bytes : PRMEM_DISK_SIZE_MAX,
	};
	int r = prmem_disk_begin(m->control->pool, &args, sizeof args, &m->disk, err);

	if (r == -EBUSY)
		return verb_error(err, r, "disk %s: another import of it is under way", m->name);
	return r;
}

/* Say how much room is missing, as far as it can be known. */
static int
pool_is_full(const struct import *m, struct prmem_error *err)
{
	uint64_t all = m->data_bytes != 0 ? m->data_bytes : m->size_bytes;
	const char *beside = m->replaces ? ", beside the disk that it replaces" : "";

	if (all <= m->nr_data_bytes)
		return verb_error(err, -ENOSPC,
				  "disk %s: the pool is full: it had room for %" PRIu64
				  " bytes of data%s; free some, or grow the pool",
				  m->name, m->nr_data_bytes, beside);
	return verb_error(err, -ENOSPC,
			  "disk %s: the pool is full: it had room for %" PRIu64
			  " bytes of data%s, and needs up to %" PRIu64 " more; free them, or grow the pool",
			  m->name, m->nr_data_bytes, beside, all - m->nr_data_bytes);
}

/* Where nobody said how large it will be, it is expected to be as large as what it replaces. */
static int
import_progress(const struct import *m, uint64_t done)
{
	uint64_t total = m->size_bytes != 0 ? m->size_bytes : m->replaced_bytes;

	return report_progress(m->control, done, done <= total ? total : 0);
}

static int
import_write(struct import *m, const void *buf, uint32_t len_bytes, uint64_t off, struct prmem_error *err)
{
	uint64_t limit = m->size_bytes != 0 ? m->size_bytes : PRMEM_DISK_SIZE_MAX;
	int r;

	if (off > limit || len_bytes > limit - off)
		return verb_error(err, -EFBIG, "disk %s: more than %" PRIu64 " bytes came", m->name, limit);
	r = prmem_disk_write(m->disk, buf, len_bytes, off);
	if (r == -ENOSPC)
		return pool_is_full(m, err);
	if (r < 0)
		return verb_error(err, r, "disk %s: cannot be written at %" PRIu64 ": %s", m->name, off, strerror(-r));
	m->nr_data_bytes += len_bytes;
	return import_progress(m, off + len_bytes);
}

static int
import_all(struct import *m, struct prmem_error *err)
{
	const struct control_io *io = m->control->io;
	void *buf = malloc(CONTROL_DATA_MAX);
	uint32_t len_bytes;
	uint64_t off = 0;
	int r = buf == NULL ? -ENOMEM : 1;

	while (r > 0) {
		r = io->take(io->opaque, buf, &len_bytes, &off);
		if (r > 0) {
			r = import_write(m, buf, len_bytes, off, err);
			r = r < 0 ? r : 1;
		}
	}
	free(buf);
	if (r == 0 && m->size_bytes != 0 && off != m->size_bytes)
		r = verb_error(err, -EINVAL, "disk %s: %" PRIu64 " bytes came, not %" PRIu64, m->name, off,
			       m->size_bytes);
	if (r == 0)
		m->size_bytes = off;
	if (r == 0 && (off < 1 || off > PRMEM_DISK_SIZE_MAX))
		r = verb_error(err, -EINVAL, "disk %s: nothing to import, or more than a disk can hold", m->name);
	if (r == 0)
		r = import_progress(m, off);
	/* Durable before it gets its name. */
	if (r == 0)
		r = prmem_sync(m->control->pool);
	if (r < 0 && err->message[0] == '\0')
		verb_error(err, r, "disk %s: was not imported: %s", m->name,
			   r == -ECANCELED ? "it was interrupted" : strerror(-r));
	return r;
}

int
verb_import(const struct control *control, struct json_object *request, struct json_object *result,
	    struct prmem_error *err)
{
	struct import m = {
		.control = control,
		.name = get_text(request, "disk"),
		.size_bytes = get_number(request, "size", 0),
		.data_bytes = get_number(request, "data", 0),
	};
	bool force = get_flag(request, "force");
	int r = import_look(&m, force, err);

	if (r < 0)
		return r;
	r = import_start(&m, err);
	if (r < 0)
		return r;
	memset(err, 0, sizeof *err);
	r = import_all(&m, err);
	if (r == 0)
		r = prmem_disk_finish(m.disk, m.size_bytes, force ? PRMEM_FINISH_REPLACE : 0, err);
	/* Unless it is finished, it is gone with this. */
	prmem_disk_close(m.disk);
	if (r < 0)
		return r;
	put_number(result, "data", m.nr_data_bytes);
	return report_disk(control, m.name, result, err);
}
