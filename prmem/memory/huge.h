/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Huge pages for a pool in tmpfs.
 *
 * Persistent memory is mapped by 2 MiB; a file in tmpfs by 4 KiB, unless it is
 * asked for more.  A random read then waits for the translation of two
 * addresses more, of its slot and of its page, and each page that is written
 * for the first time costs a fault.
 */
#ifndef PRMEM_HUGE_H
#define PRMEM_HUGE_H

#include <stdbool.h>
#include <stdint.h>

#define HUGE_BYTES (UINT64_C(2) << 20)

/*
 * huge_is_worth() - is a mapping one whose blocks of 2 MiB can become huge
 * pages: of a file in tmpfs, at an address as far into 2 MiB as its offset is?
 */
bool huge_is_worth(int fd, const void *base, uint64_t file_off);

/*
 * huge_make() - make the blocks of 2 MiB that lie in a range of a mapping huge
 * pages.  What is in them stays, others may use it meanwhile.  Where the
 * kernel does not want to, nothing changes.
 * @start, @end: the range; it has its space already, holes would be filled
 * Context: may sleep; takes up to a millisecond a block.
 * Persistence: none.
 * Return: false when there is no use in trying again.
 */
bool huge_make(void *start, void *end);

#endif
