/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random operations that are possible in a state.
 */
#ifndef PRMEM_TESTS_GENERATE_H
#define PRMEM_TESTS_GENERATE_H

#include "tests/crash/model.h"

/* Shapes of ranges on a disk. */
#define SHAPE_PAGES 1u /* whole pages */
#define SHAPE_SECTOR 2u /* 512 bytes */
#define SHAPE_RAGGED 4u /* any bytes */
#define SHAPE_FAR 8u /* zeroing only: from here to far away, or to the end */
#define SHAPE_ANY 15u

/* How often each kind of operation comes, and what it is like. */
struct profile {
	uint8_t weight[OP_NR_TYPES];
	uint8_t shapes;
	uint32_t max_pages; /* of a write */
	uint8_t max_instances;
	uint8_t zeroes_percent; /* writes of nothing but zeroes */
	uint8_t reserve_percent; /* new disks with a reservation */
};

extern const struct profile profile_mixed; /* a bit of everything */
extern const struct profile profile_short; /* what an image goes on with */

/* generate_op() - Return: an operation on @model, of which nothing is under way. */
struct op generate_op(const struct model *model, const struct profile *profile, uint64_t *random);

#endif
