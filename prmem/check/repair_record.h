/* SPDX-License-Identifier: BSD-3-Clause */
/* Repairing the slots of the directory. */
#ifndef PRMEM_REPAIR_RECORD_H
#define PRMEM_REPAIR_RECORD_H

#include <stdint.h>

#include "common/pm.h"

struct repair;

/*
 * repair_record_slot() - a slot of the directory that names a record, or is damaged.
 * What cannot be put right at once is noted in r->lost.
 */
void repair_record_slot(struct repair *r, uint32_t pfn, pm_slot *slot, uint32_t number);

/* repair_lost_records() - look for the records of the slots that were noted; give up what is not found. */
void repair_lost_records(struct repair *r);

#endif
