/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nbdkit-prmem-plugin: life cycle and registration.  The plugin translates:
 * parameters into prmem_open() and prmem_disk_create(), NBD requests into
 * prmem_disk_...(), and errors into one line and an NBD error.  It knows
 * nothing of pages.
 *
 *	.load            see whether nbdkit was started with -r
 *	.config...       parameters (params.c)
 *	.get_ready       open the pool, make its disks (start.c)
 *	.after_fork      in the server's process: the owner record, threads
 *	.open ... .close exports.c, io.c
 *	.cleanup         close the pool
 *
 * When .get_ready fails nbdkit exits at once, with neither .cleanup nor
 * .unload: start_pool() cleans up after itself. .cleanup is called if and only
 * if .after_fork was.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "control/server.h"
#include "plugin/exports.h"
#include "plugin/io.h"
#include "plugin/params.h"
#include "plugin/readonly.h"
#include "plugin/say.h"
#include "plugin/start.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

/*
 * What nbdkit takes in one read or write.  Requests without data (trim, zero,
 * cache, block status) may be up to 4 GiB - 1 and are served too.
 */
#define MAX_REQUEST_BYTES (UINT32_C(64) << 20)

static bool read_only;
static struct control_server *control;

static void
plugin_load(void)
{
	/* Now: later nbdkit may have modified the arguments that it has scanned. */
	read_only = started_read_only();
}

static void
plugin_dump(void)
{
	printf("prmem_version=%s\n", prmem_version());
	params_dump();
	printf("prmem_disk_size_max=%" PRIu64 "\n", PRMEM_DISK_SIZE_MAX);
	printf("prmem_pool_size_max=%" PRIu64 "\n", PRMEM_POOL_SIZE_MAX);
	printf("prmem_max_request=%" PRIu32 "\n", MAX_REQUEST_BYTES);
}

static int
plugin_get_ready(void)
{
	nbdkit_debug("prmem: pool %s, %s", params.pool, read_only ? "read-only" : "read-write");
	return start_pool(read_only);
}

static void
log_control(const char *line)
{
	nbdkit_debug("prmem: %s", line);
}

/* Without a control socket the pool is served anyway. */
static void
start_control(void)
{
	const struct control_server_args args = {.pool = the_pool, .path = params.pool, .log = log_control};
	struct prmem_error err = {0};

	if (control_server_start(&args, &control, &err) == -EADDRINUSE && read_only)
		nbdkit_debug("prmem: %s", err.message); /* another of the servers that share the pool answers */
	else if (!control)
		say("%s; prmemctl cannot be used while this server runs", err.message);
	else
		nbdkit_debug("prmem: control socket %s", control_server_address(control));
}

static int
plugin_after_fork(void)
{
	say_to_log();
	prmem_after_fork(the_pool);
	/*
	 * For the machine that is its own client: memory that this process
	 * needs must not wait for pages to be written through this process.
	 * Threads inherit the flag; without the privilege it is left out.
	 */
	if (prctl(PR_SET_IO_FLUSHER, 1UL, 0UL, 0UL, 0UL) < 0)
		nbdkit_debug("prmem: PR_SET_IO_FLUSHER: %m");
	if (params.low_space_bytes > 0)
		prmem_set_low_space(the_pool, params.low_space_bytes);
	start_control();
	return 0;
}

static void
plugin_cleanup(void)
{
	control_server_stop(control);
	control = NULL;
	exports_end();
}

static void
plugin_unload(void)
{
	plugin_cleanup();
	params_free();
}

static int64_t
plugin_get_size(void *handle)
{
	struct handle *h = handle;

	return (int64_t)prmem_disk_size(h->disk);
}

static int
plugin_block_size(void *handle, uint32_t *minimum, uint32_t *preferred, uint32_t *maximum)
{
	(void)handle;
	*minimum = 1;
	*preferred = PRMEM_PAGE_SIZE;
	*maximum = MAX_REQUEST_BYTES;
	return 0;
}

static int
plugin_can_write(void *handle)
{
	struct handle *h = handle;

	return !h->read_only && !prmem_disk_is_read_only(h->disk);
}

static int
plugin_yes(void *handle)
{
	(void)handle;
	return 1;
}

static int
plugin_no(void *handle)
{
	(void)handle;
	return 0;
}

static int
plugin_can_fua(void *handle)
{
	(void)handle;
	return NBDKIT_FUA_NATIVE;
}

static int
plugin_can_cache(void *handle)
{
	(void)handle;
	return NBDKIT_CACHE_NATIVE;
}

static struct nbdkit_plugin plugin = {
	.name = "prmem",
	.longname = "persistent RAM disks",
	.version = PACKAGE_VERSION,
	.description = "RAM disks that outlive the program, the kernel and the power cord.",
	.load = plugin_load,
	.unload = plugin_unload,
	.dump_plugin = plugin_dump,
	.config = params_config,
	.config_complete = params_complete,
	.config_help = PARAMS_HELP,
	.magic_config_key = "pool",
	.get_ready = plugin_get_ready,
	.after_fork = plugin_after_fork,
	.cleanup = plugin_cleanup,
	.list_exports = exports_list,
	.default_export = exports_default,
	.export_description = exports_description,
	.open = exports_open,
	.close = exports_close,
	.get_size = plugin_get_size,
	.block_size = plugin_block_size,
	.can_write = plugin_can_write,
	.can_flush = plugin_yes,
	.is_rotational = plugin_no,
	.can_trim = plugin_yes,
	.can_zero = plugin_yes,
	.can_fast_zero = plugin_yes,
	.can_extents = plugin_yes,
	.can_fua = plugin_can_fua,
	.can_multi_conn = plugin_yes,
	.can_cache = plugin_can_cache,
	.pread = io_pread,
	.pwrite = io_pwrite,
	.flush = io_flush,
	.trim = io_trim,
	.zero = io_zero,
	.extents = io_extents,
	.cache = io_cache,
	.errno_is_preserved = 1,
};

/* The macro below defines it and declares it nowhere. */
NBDKIT_DLL_PUBLIC struct nbdkit_plugin *plugin_init(void);

NBDKIT_REGISTER_PLUGIN(plugin)
