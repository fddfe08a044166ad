/* SPDX-License-Identifier: BSD-3-Clause */
/* Changing a word of a pool that is repaired. */
#ifndef PRMEM_REPAIR_STORE_H
#define PRMEM_REPAIR_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/pm.h"
#include "prmem/prmem.h"

struct repair;

/*
 * repair_store() - put a word right.
 * @pfn: the page that it is in
 * Persistence: durable on return.
 * Return: false when the repair is to end (r->error).
 */
bool repair_store(struct repair *r, uint32_t pfn, pm_slot *word, uint64_t value);

/* repair_found() - remember what was done. */
void repair_found(struct repair *r, enum prmem_finding_kind kind, uint64_t idx, uint64_t nr, bool repaired,
		  const char *text);

#endif
