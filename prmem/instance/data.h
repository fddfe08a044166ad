/* SPDX-License-Identifier: BSD-3-Clause */
/* The data of an instance. */
#ifndef PRMEM_DATA_H
#define PRMEM_DATA_H

#include <stdint.h>

struct object;
struct prmem_instance;

/* The index that data hangs on has a lineage of its own. */
#define DATA_LINEAGE UINT64_C(0x64617461646174ed)

/* instance_data_proof() - the proof of an object as the instance's data. */
uint32_t instance_data_proof(const struct prmem_instance *inst, const struct object *obj);

#endif
