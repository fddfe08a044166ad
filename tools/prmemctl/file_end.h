/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file at the other end of an export or import: a file with holes, a
 * block device, or a pipe.
 */
#ifndef PRMEM_CTL_FILE_END_H
#define PRMEM_CTL_FILE_END_H

#include <stdbool.h>
#include <stdint.h>

struct file_end {
	const char *name; /* as it was given; "-" */
	char *path; /* what it is called in the end, and ... */
	char *temp; /* ... until it is whole; NULL when it is written in place */
	int fd;
	bool is_stream; /* from front to back, nothing can be left out */
	bool is_file; /* has a length of its own */
	uint64_t pos; /* stream: how far it is */
	uint64_t size_bytes;
};

/* All of these say why when they fail, and return -1 then. */
int sink_open(struct file_end *end, const char *name);
int sink_write(struct file_end *end, const void *buf, uint32_t len_bytes, uint64_t off);
int sink_finish(struct file_end *end, uint64_t size_bytes);
/* Nothing is left of a file that was not finished. */
void sink_close(struct file_end *end);

int source_open(struct file_end *end, const char *name);
/* Return: the bytes of a file that are no hole; 0 when that cannot be known before. */
uint64_t source_data_bytes(struct file_end *end);
/* Return: 1 and *ret_len_bytes of data for *ret_off; 0 at the end, *ret_off is the size; -1. */
int source_read(struct file_end *end, void *buf, uint32_t buf_bytes, uint32_t *ret_len_bytes, uint64_t *ret_off);
void source_close(struct file_end *end);

#endif
