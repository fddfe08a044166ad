/* SPDX-License-Identifier: BSD-3-Clause */
/* Checking the directory and all arrays. */
#ifndef PRMEM_CHECK_STRUCTURE_H
#define PRMEM_CHECK_STRUCTURE_H

#include "common/compiler.h"

struct check;

/* check_structure() - the directory and all arrays.  Return: 0, -ECANCELED, -ENOMEM. */
MUST_CHECK int check_structure(struct check *c);

#endif
