/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a disk ends. */
#ifndef PRMEM_DISK_RESIZE_H
#define PRMEM_DISK_RESIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"

struct prmem_instance;

/* disk_has_data_behind() - does its array hold anything behind an end? */
bool disk_has_data_behind(struct prmem_instance *inst, uint64_t size_bytes);

/*
 * disk_cut_off() - erase all whole pages behind an end, and the nodes that
 * only they needed: of a disk that has been filled or shrunk, even nodes that
 * hold nothing are taken from what is promised to its own pages.
 * Persistence: durable on return (on page cache: with the next sync).
 * Return: 0, -EIO (a node is damaged there).
 */
MUST_CHECK int disk_cut_off(struct prmem_instance *inst, uint64_t size_bytes);

#endif
