/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* One file outside the configuration directories, under the same rules: the daemon's settings. */
#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "kern/source.h"
#include "kern/source_walk.h"
#include "model/limits.h"

int source_read_file(const char *path, const struct source_options *o, struct source_blob *ret,
		     struct error *e)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	cleanup(closep) int fd = -1;
	struct walker w = {
		.arena = a,
		.owners = o->owners,
		.owner_count = o->owner_count,
		.any_owner = o->any_owner,
	};
	char here[4096], *data = NULL;
	struct complaint why = { 0 };
	int code;

	if (path[0] != '/') {
		if (!getcwd(here, sizeof(here)))
			return error_set(e, -errno, "%s: %s", path, error_string(errno));
		path = arena_printf(a, "%s/%s", here, path);
	}
	code = walk_file(&w, NULL, path, &fd, &why);
	if (code < 0)
		return error_set(e, code, "%s%s%s", why.what, why.hint ? "; " : "",
				 why.hint ? why.hint : "");
	code = read_bytes(fd, LIMIT_FILE_BYTES, &data, &ret->size);
	if (code < 0)
		return error_set(e, code, "%s: %s", path, error_string(code));
	ret->data = data;
	hash_bytes(ret->data, ret->size, ret->sha256);
	return 0;
}
