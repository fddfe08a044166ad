/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The directory of instances: an XArray from instance number to record,
 * rooted in the superblock.
 */
#ifndef PRMEM_DIRECTORY_H
#define PRMEM_DIRECTORY_H

#include "common/compiler.h"
#include "prmem/prmem.h"

struct prmem_pool;
struct directory;

/*
 * directory_open() - read all records and walk all instances' arrays, marking
 * what they reach in pool->pages, pool->refs and pool->buffers.  Writes
 * nothing.  What is damaged is counted and noticed, and never an error: a
 * pool with structural damage is set read-only.
 * Return: 0, -ENOMEM.
 */
MUST_CHECK int directory_open(struct prmem_pool *pool, unsigned int nr_threads, struct directory **ret_dir,
			      struct prmem_error *err);
void directory_close(struct directory *dir);

uint32_t directory_nr_instances(struct directory *dir);

#endif
