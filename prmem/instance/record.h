/* SPDX-License-Identifier: BSD-3-Clause */
/* Instance records: making, checking, publishing. */
#ifndef PRMEM_RECORD_H
#define PRMEM_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"

struct directory;
struct prmem_instance;
struct record_media;

/* instance_is_disk() - is it of the subsystem "ramdisk"? */
bool instance_is_disk(const struct prmem_instance *inst);

/* name_is_valid() - 1 to 63 printable characters without '/', '@' and white space. */
bool name_is_valid(const char *name);

/*
 * instance_publish() - replace the record of an instance by @rec.
 * Context: rec_lock; may wait for a grace period.
 * Persistence: durable on return; old or new after a crash.
 * Return: 0, -ENOSPC, -EROFS, -EIO; nothing was changed then.
 */
MUST_CHECK int instance_publish(struct prmem_instance *inst, const struct record_media *rec);

/* instance_replaces() - has @new taken the place of @old?  Context: inst_lock. */
bool instance_replaces(const struct record_media *new, const struct record_media *old);

/*
 * record_check() - may what is read at a page be believed to be a record?
 * Return: NULL, or what is wrong with it.
 */
const char *record_check(const struct record_media *rec);

/* record_fill() - set what every new record has: magic, UUID, origin, times. */
MUST_CHECK int record_fill(struct record_media *rec);

/* record_proof() - of the slot that points to a record. */
uint32_t record_proof(const struct directory *dir, uint32_t number, const struct record_media *rec);

#endif
