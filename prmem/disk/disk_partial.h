/* SPDX-License-Identifier: BSD-3-Clause */
/* Changing a part of a page of a disk. */
#ifndef PRMEM_DISK_PARTIAL_H
#define PRMEM_DISK_PARTIAL_H

#include "common/compiler.h"

struct disk_part;
struct prmem_disk;

/*
 * disk_write_part() - change a part of a page: a new page with the rest of
 * the old one.  @buf NULL stands for zeroes.
 * Context: takes the page's stripe; may wait for a grace period.
 * Persistence: durable on return; old or new after a crash.
 * Return: as prmem_disk_write().
 */
MUST_CHECK int disk_write_part(struct prmem_disk *disk, const struct disk_part *part, const void *buf);

#endif
