/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pages in LMDB: a record a page, a transaction a write, committed with the
 * syncs that it makes by itself; on tmpfs these are system calls that do nothing.
 */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "tests/bench/engine.h"
#include "tests/bench/engine_stores.h"

struct store {
	MDB_env *env;
	MDB_dbi dbi;
	MDB_txn *reader;
};

/* A record: the CRC, then the page. */
#define RECORD_BYTES (8 + PRMEM_PAGE_SIZE)

static void
must(int r, const char *what)
{
	if (r != 0)
		die("LMDB: %s: %s", what, mdb_strerror(r));
}

static struct store *
open_store(const char *path, uint32_t nr_pages)
{
	struct store *s = calloc(1, sizeof *s);
	char lock_path[320];
	MDB_txn *txn;

	if (s == NULL)
		die("out of memory");
	/* A record takes two pages, and a map that is nearly full would be slow. */
	must(mdb_env_create(&s->env), "creating");
	must(mdb_env_set_mapsize(s->env, (size_t)nr_pages * PRMEM_PAGE_SIZE * 4 + (64u << 20)), "setting the size");
	must(mdb_env_open(s->env, path, MDB_NOSUBDIR, 0600), "opening");
	snprintf(lock_path, sizeof lock_path, "%s-lock", path);
	unlink(path);
	unlink(lock_path);
	must(mdb_txn_begin(s->env, NULL, 0, &txn), "beginning");
	must(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &s->dbi), "opening the database");
	must(mdb_txn_commit(txn), "committing");
	must(mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->reader), "beginning to read");
	mdb_txn_reset(s->reader);
	return s;
}

static void
write_page(struct store *s, uint32_t idx, const void *page)
{
	unsigned int number = idx;
	MDB_val key = {sizeof number, &number}, value = {RECORD_BYTES, NULL};
	uint64_t crc = crc32c(0, page, PRMEM_PAGE_SIZE);
	MDB_txn *txn;

	must(mdb_txn_begin(s->env, NULL, 0, &txn), "beginning");
	must(mdb_put(txn, s->dbi, &key, &value, MDB_RESERVE), "writing");
	memcpy(value.mv_data, &crc, sizeof crc);
	memcpy((char *)value.mv_data + sizeof crc, page, PRMEM_PAGE_SIZE);
	must(mdb_txn_commit(txn), "committing");
}

static void
read_page(struct store *s, uint32_t idx, void *ret_page)
{
	unsigned int number = idx;
	MDB_val key = {sizeof number, &number}, value;
	uint64_t crc;

	must(mdb_txn_renew(s->reader), "beginning to read");
	must(mdb_get(s->reader, s->dbi, &key, &value), "reading");
	memcpy(&crc, value.mv_data, sizeof crc);
	memcpy(ret_page, (const char *)value.mv_data + sizeof crc, PRMEM_PAGE_SIZE);
	mdb_txn_reset(s->reader);
	if (crc != crc32c(0, ret_page, PRMEM_PAGE_SIZE))
		die("LMDB: page %u is damaged", idx);
}

static void
close_store(struct store *s)
{
	mdb_txn_abort(s->reader);
	mdb_env_close(s->env);
	free(s);
}

const struct store_ops lmdb_store = {"LMDB", open_store, write_page, read_page, close_store};
