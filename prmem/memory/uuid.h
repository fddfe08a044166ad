/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random (version 4) UUIDs.
 */
#ifndef PRMEM_UUID_H
#define PRMEM_UUID_H

#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

#define UUID_TEXT_BYTES 37 /* 8-4-4-4-12 digits and the NUL */

/*
 * random_bytes() - fill a buffer from the system's generator.
 * Context: may wait in an early boot until the generator is ready.
 * Return: 0, or -errno of getrandom().
 */
MUST_CHECK int random_bytes(void *buf, size_t len_bytes);

/* uuid_make() - a new UUID.  Return: as random_bytes(). */
MUST_CHECK int uuid_make(uint8_t ret_uuid[16]);

/* uuid_format() - its text. */
void uuid_format(const uint8_t uuid[16], char ret_text[UUID_TEXT_BYTES]);

#endif
