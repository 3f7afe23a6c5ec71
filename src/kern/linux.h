/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The kernel itself behind the table of kern/kern.h. */
#pragma once

#include "kern/kern.h"
#include "kern/source.h"

struct kern_linux;

struct kern_linux_options {
	const char *bpffs_dir; /* our directory on a bpffs; its parent is mounted if need be */
	const char *run_dir;
	/* Yields the content of an object's ELF file, which must hash to decl->source->sha256; frees nothing. */
	int (*fetch)(void *arg, const struct object_decl *decl, struct source_blob *ret,
		     struct error *e);
	void *fetch_arg;
};

int kern_linux_new(const struct kern_linux_options *o, struct kern_linux **ret, struct error *e);
void kern_linux_free(struct kern_linux *k);

extern const struct kern_ops kern_linux_ops; /* ctx: struct kern_linux */

/* Probes once; the table lives as long as k. `bpfsharectl features` and struct observed share it. */
const struct feature *kern_linux_features(struct kern_linux *k, size_t *ret_count);
