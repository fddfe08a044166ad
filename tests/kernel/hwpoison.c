/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hwpoison NODE MARKER - find the page of a device-DAX node that begins with
 * MARKER and have the kernel believe that its memory has failed.  The kernel
 * tells whoever did it by SIGBUS, which is how this program ends.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MAPPING_BYTES (2ul << 20) /* what device-DAX maps at once */
#define PAGE_BYTES 4096ul

int
main(int argc, char **argv)
{
	off_t at = 0;
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: hwpoison NODE MARKER\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR);
	if (fd < 0) {
		perror(argv[1]);
		return 1;
	}
	for (;; at += (off_t)MAPPING_BYTES) {
		char *p = mmap(NULL, MAPPING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at);
		unsigned long off;

		if (p == MAP_FAILED) {
			fprintf(stderr, "no page begins with %s\n", argv[2]);
			return 1;
		}
		for (off = 0; off < MAPPING_BYTES; off += PAGE_BYTES) {
			if (memcmp(p + off, argv[2], strlen(argv[2])) == 0) {
				if (madvise(p + off, PAGE_BYTES, MADV_HWPOISON) < 0)
					perror("madvise");
				return 1;
			}
		}
		munmap(p, MAPPING_BYTES);
	}
}
