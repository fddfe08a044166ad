/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pools by name: POOL= in the file that prmem@NAME.service reads, and what of
 * its OPTIONS= is for whoever opens the pool.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/prmemctl/ctl.h"

/* A value as systemd and the shell take it: white space around it, and quotes. */
static char *
unquote(char *value)
{
	size_t len;

	value += strspn(value, " \t");
	len = strcspn(value, "\n");
	while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	value[len] = '\0';
	if (len >= 2 && (value[0] == '"' || value[0] == '\'') && value[len - 1] == value[0]) {
		value[len - 1] = '\0';
		value++;
	}
	return value;
}

/* Parameters of the plugin, of which some are those of whoever opens the pool. */
static void
take_options(char *options, struct args *args)
{
	char *state, *word = strtok_r(options, " \t", &state);

	for (; word != NULL; word = strtok_r(NULL, " \t", &state)) {
		if (strncmp(word, "region=", 7) == 0 && args->nr_regions < REGIONS_MAX)
			args->regions[args->nr_regions++] = word + 7;
	}
}

static char *
read_config(FILE *file, struct args *args)
{
	char *line = NULL, *path = NULL;
	size_t room = 0;

	while (getline(&line, &room, file) >= 0) {
		char *p = line + strspn(line, " \t");

		if (strncmp(p, "POOL=", 5) == 0) {
			free(path);
			path = strdup(unquote(p + 5));
		} else if (strncmp(p, "OPTIONS=", 8) == 0) {
			free(args->config);
			args->config = strdup(unquote(p + 8));
		}
	}
	free(line);
	if (args->config != NULL)
		take_options(args->config, args);
	return path;
}

static char *
absolute(const char *path)
{
	char *dir, *whole = NULL;

	/* As the server has it, so that messages are the same. */
	if (path[0] == '/')
		return strdup(path);
	dir = getcwd(NULL, 0);
	if (dir == NULL || asprintf(&whole, "%s/%s", dir, path) < 0)
		whole = NULL;
	free(dir);
	return whole;
}

char *
find_pool(const char *name, struct args *args)
{
	const char *dir = getenv("PRMEM_CONFIG_DIR");
	char *config_path = NULL, *path = NULL;
	FILE *file = NULL;

	if (name[0] == '\0') {
		(void)failed(args, -ENOENT, "%s: the name of the pool is empty", args->verb);
		return NULL;
	}
	if (strchr(name, '/') == NULL && asprintf(&config_path, "%s/%s.conf", dir != NULL ? dir : CONFDIR, name) >= 0)
		file = fopen(config_path, "re");
	if (file != NULL) {
		path = read_config(file, args);
		fclose(file);
		if (path == NULL || path[0] != '/') {
			(void)failed(args, -EIO, "%.200s: has no POOL= with a path", config_path);
			free(path);
			free(config_path);
			return NULL;
		}
	} else {
		path = absolute(name);
		if (path == NULL)
			(void)failed(args, -errno, "%.200s: cannot be found: %s", name, strerror(errno));
	}
	free(config_path);
	return path;
}
