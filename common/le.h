/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Little-endian integers for what lies on media.  They are structs, so that
 * the compiler refuses to mix them with numbers of this machine.
 */
#ifndef PRMEM_COMMON_LE_H
#define PRMEM_COMMON_LE_H

#include <endian.h>
#include <stdint.h>

typedef struct {
	uint32_t le;
} le32;
typedef struct {
	uint64_t le;
} le64;

static inline uint32_t
le32_to_cpu(le32 v)
{
	return le32toh(v.le);
}

static inline le32
cpu_to_le32(uint32_t v)
{
	return (le32){htole32(v)};
}

static inline uint64_t
le64_to_cpu(le64 v)
{
	return le64toh(v.le);
}

static inline le64
cpu_to_le64(uint64_t v)
{
	return (le64){htole64(v)};
}

#endif
