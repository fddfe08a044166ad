/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CRC-32C (Castagnoli), by ISA-L.
 */
#ifndef PRMEM_COMMON_CRC32C_H
#define PRMEM_COMMON_CRC32C_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * crc32c() - extend a CRC-32C over a buffer.
 * @crc: the CRC so far, or a seed; 0 to start the usual CRC-32C
 * @buf: the bytes
 * @len_bytes: their number
 *
 * crc32c(0, "123456789", 9) is 0xe3069283, and
 * crc32c(crc32c(s, a), b) == crc32c(s, a followed by b).
 * For one length and one content, different seeds give different CRCs.
 *
 * Context: any; takes no lock.
 * Return: the CRC.
 */
uint32_t crc32c(uint32_t crc, const void *buf, size_t len_bytes);

/*
 * mem_is_zero() - is every byte of a buffer zero?
 * Context: any; takes no lock.
 */
bool mem_is_zero(const void *buf, size_t len_bytes);

#endif
