/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What a new version of an object can do with a map of the version before, by the kind of map: the table of
 * bpfshare.d(5), as code.
 */
#pragma once

#include "model/elf.h"

enum map_keeping {
	MAP_KEPT,       /* the very map, where both versions define it alike */
	MAP_BY_FILE,    /* always a new one: what is in it belongs to the file */
	MAP_BY_VARIABLE /* a data section: the very map, or a new one with the old one's variables */
};

enum map_growth {
	MAP_GROWS_COPIED, /* a larger one takes the entries over */
	MAP_GROWS_EMPTY,  /* a larger one starts empty: what is in it is on its way to a reader */
	MAP_GROWS_NOT
};

struct map_policy {
	enum map_keeping keeping;
	enum map_growth growth;
	const char *why; /* of MAP_GROWS_NOT: a sentence about such maps, without a full stop */
	bool typed; /* BTF tells what its keys and values mean; else type and sizes are all there is */
};

struct map_policy map_policy(const struct elf_map *m);
