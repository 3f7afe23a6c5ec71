/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What the parts of the Linux back end share, and their calls. Internal to kern: everybody else
 * goes through kern/linux.h and the table of kern/kern.h.
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "model/observed.h"
#include "model/op.h"
#include "model/result.h"

struct chain_names;
struct keep;
struct map_snapshots;
struct object_cache;
struct program_users;

struct kern_context {
	const char *bpffs_dir;           /* our directory, absolute: "/sys/fs/bpf/bpfshare" */
	const char *run_dir;             /* "/run/bpfshare" */
	char tag[9];                     /* stands for these two, see layout_mount_source() */
	struct program_users *users;     /* kern/program_users.h */
	struct chain_names *chain_names; /* kern/chain_names.h */
	struct object_cache *objects;    /* kern/object_cache.h */
	struct keep *keep;               /* kern/keep.h; NULL: nothing is held */
	struct stamp *links; /* of LAYOUT_LINKS, when all pins in it were looked at last */
	struct map_snapshots *snapshots; /* kern/map_snapshot.h */
	int64_t *sweep_ms; /* how long maps may still be copied in this plan, see map_sweep_begin() */
	int64_t *lock_wait_ms; /* how long libxdp's lock may still be waited for, see libxdp_lock() */
};

/* bpffs.c: the mount at the parent of bpffs_dir and our directory on it. */
int bpffs_observe(const struct kern_context *c, struct arena *a, struct observed *ret,
		  struct error *e);
void bpffs_apply(const struct kern_context *c, struct arena *a, const struct op *op,
		 struct op_result *ret);

/* share.c: mounts, pins, owners and modes of shares. */
int share_observe(const struct kern_context *c, struct arena *a, const struct string_list *paths,
		  struct observed *ret, struct error *e);
void share_apply(const struct kern_context *c, struct arena *a, const struct op *op,
		 struct op_result *ret);
bool share_can_mount_beneath(void); /* MOVE_MOUNT_BENEATH, Linux 6.5: probed */

/* names.c: users and groups by the C library. */
int names_observe(struct arena *a, const struct observe_request *want, struct observed *ret,
		  struct error *e);

/* object.c: objects/… : load, pin, observe, remove. */
int object_observe(const struct kern_context *c, struct arena *a, struct observed *ret,
		   struct error *e);
void object_load(const struct kern_context *c, struct arena *a, const struct op *op,
		 const void *elf, size_t elf_size, struct op_result *ret);
/* OP_EXTENSION_LOAD, of the same bytes */
void object_extension_load(const struct kern_context *c, struct arena *a, const struct op *op,
			   const void *elf, size_t elf_size, struct op_result *ret);
void object_remove(const struct kern_context *c, struct arena *a, const struct op *op,
		   struct op_result *ret);

/* grace.c: waits until no CPU runs a program that was detached before. */
void grace_apply(struct op_result *ret);
int grace_wait_by_membarrier(void); /* 0 or -errno where the kernel cannot */

/*
 * probe.c: tries everything that `bpfsharectl features` lists, some tenths of a millisecond to some
 * milliseconds each. Strings are static or from a.
 */
const struct feature *probe_features(struct arena *a, size_t *ret_count);

/* Fills in class and reason from the code by one table; e's text is already set. */
void result_fail(struct op_result *ret, int code);
/* The same with a reason of the caller's; yields code. */
int result_fail_as(struct op_result *ret, int code, const char *reason);
