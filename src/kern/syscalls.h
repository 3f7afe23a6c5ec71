/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Thin wrappers over the system calls of mounts and paths: 0 or -errno with a sentence in e. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/mount.h>

#include "base/error.h"

#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x00000200 /* Linux 6.5, younger than glibc 2.36 */
#endif

/* A path that leads to exactly what fd is open on, whatever its own path has become. */
struct fd_path {
	char s[32];
};
struct fd_path fd_path(int fd);

/* Yields a descriptor or -errno; flags of open(2), resolve of openat2(2). */
int sys_openat2(int dirfd, const char *path, uint64_t flags, uint64_t resolve);

/* The mount that fd is on, and whether fd is that mount's root. */
int mount_identify(int fd, uint64_t *ret_id, bool *ret_is_root, struct error *e);

/*
 * A new instance of bpffs, mode 0700, nosuid, nodev, noexec, attached nowhere: it dies with the
 * descriptor.
 */
int mount_create_bpffs(const char *source, int *ret_mount, struct error *e);

/*
 * Whether a bpffs shows its source in mountinfo: from Linux 5.3 to 5.16 it is "none" whatever
 * was asked for. Probed: 1 or 0.
 */
int mount_keeps_source(struct error *e);

/*
 * Puts a detached mount onto the directory target, or between the mount whose root target is
 * and what that one is mounted on.
 */
int mount_move(int mount, int target, bool beneath, struct error *e);
int mount_set_shared(int mount, struct error *e);

/*
 * Takes exactly the mount whose root fd is out of the tree, with all that is mounted in it,
 * even while it is in use.
 */
int mount_detach(int mount, struct error *e);

/* The superblock behind a mount, and so every mount of it in every namespace. */
int superblock_set_read_only(int mount, bool read_only, struct error *e);
