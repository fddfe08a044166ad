/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Is there anything on it that a format would destroy?
 */
#ifndef PRMEM_FOREIGN_H
#define PRMEM_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "common/pm.h"
#include "prmem/memory/backing.h"

/*
 * probe_signature() - ask libblkid what lies on a file or a device.
 * @pm: its mapping
 * @fd: its descriptor
 * @ret_what: in words, as: a file system (ext4, labelled "x"); cut to
 *   @what_bytes
 * Reads only.
 * Return: 1 and *ret_what; 0 when it knows nothing of what is there; -errno.
 */
MUST_CHECK int probe_signature(const struct pm *pm, int fd, bool is_device, char *ret_what, size_t what_bytes);

/* Somebody who waits for it. */
struct probe_watch {
	int (*progress)(void *opaque, uint64_t done, uint64_t total); /* in bytes; not 0 ends it; or NULL */
	void *opaque;
};

/*
 * probe_data() - look for bytes that are not zero.
 * @from: where to begin: a multiple of 4 KiB
 * @watch: may be NULL
 * A file is read as a whole but for its holes.  Of a device these are looked
 * at: the first and the last 16 MiB, and a page every 2 MiB between.
 * Reads only.
 * Return: 1 and *ret_off, the place of the first (to a page); 0 when there
 *   are none; -ECANCELED when @watch ended it; -errno.
 */
MUST_CHECK int probe_data(const struct pm *pm, int fd, bool is_device, uint64_t from,
			  const struct probe_watch *watch, uint64_t *ret_off);

/*
 * blank_check() - no superblock is there: is nothing at all?
 * Reads only; a file as a whole but for its holes.
 * Return: 0; -EMEDIUMTYPE, and the error says what is there and the way out;
 *   or what the system said.
 */
MUST_CHECK int blank_check(const struct backing *backing, const struct pm *pm, const struct prmem_open_args *args,
			   struct prmem_error *err);

#endif
