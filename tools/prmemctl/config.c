/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pools by name: POOL= in the file that prmem@NAME.service reads.
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

static char *
read_config(FILE *file)
{
	char *line = NULL, *path = NULL;
	size_t room = 0;

	while (getline(&line, &room, file) >= 0) {
		char *p = line + strspn(line, " \t");

		if (strncmp(p, "POOL=", 5) == 0) {
			free(path);
			path = strdup(unquote(p + 5));
		}
	}
	free(line);
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
find_pool(const char *name)
{
	const char *dir = getenv("PRMEM_CONFIG_DIR");
	char *config_path = NULL, *path = NULL;
	FILE *file = NULL;

	if (name[0] != '\0' && strchr(name, '/') == NULL &&
	    asprintf(&config_path, "%s/%s.conf", dir != NULL ? dir : CONFDIR, name) >= 0)
		file = fopen(config_path, "re");
	if (file != NULL) {
		path = read_config(file);
		fclose(file);
		if (path == NULL || path[0] != '/') {
			say_error("%s: has no POOL= with a path", config_path);
			free(path);
			free(config_path);
			return NULL;
		}
	} else {
		path = absolute(name);
		if (path == NULL)
			say_error("%.200s: cannot be found: %s", name, strerror(errno));
	}
	free(config_path);
	return path;
}
