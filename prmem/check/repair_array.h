/* SPDX-License-Identifier: BSD-3-Clause */
/* Repairing an array. */
#ifndef PRMEM_REPAIR_ARRAY_H
#define PRMEM_REPAIR_ARRAY_H

struct repair;

/* repair_array() - put r->xa right, level by level. */
void repair_array(struct repair *r);

#endif
