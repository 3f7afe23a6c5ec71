/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/macros.h"

/*
 * A consumer that is root can keep a superblock busy by creating things on it for as long as
 * it is writable; each of these calls lasts microseconds.
 */
#define READ_ONLY_ATTEMPTS 1000

struct fd_path fd_path(int fd)
{
	struct fd_path p;

	(void)snprintf(p.s, sizeof(p.s), "/proc/self/fd/%d", fd);
	return p;
}

int sys_openat2(int dirfd, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = resolve };
	long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

int mount_identify(int fd, uint64_t *ret_id, bool *ret_is_root, struct error *e)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_MNT_ID, &st) < 0)
		return error_set(e, -errno, "statx: %s", error_string(errno));
	/* Both came with Linux 5.8. */
	if (!(st.stx_mask & STATX_MNT_ID) || !(st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
		return error_set(e, -EOPNOTSUPP,
				 "this kernel does not tell mounts apart (statx, Linux 5.8)");
	*ret_id = st.stx_mnt_id;
	*ret_is_root = (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
	return 0;
}

/* The kernel leaves its own words about a failure in the context: "e bpf: ...". */
static int context_error(int context, int code, const char *what, struct error *e)
{
	char words[256];
	ssize_t n = read(context, words, sizeof(words) - 1);

	if (n <= 2)
		return error_set(e, code, "%s: %s", what, error_string(code));
	words[n] = '\0';
	return error_set(e, code, "%s: %s (%s)", what, error_string(code), words + 2);
}

int mount_create_bpffs(const char *source, int *ret_mount, struct error *e)
{
	cleanup(closep) int context = fsopen("bpf", FSOPEN_CLOEXEC);
	cleanup(closep) int mount = -1;

	if (context < 0)
		return error_set(e, -errno, "new bpf file system: %s%s", error_string(errno),
				 errno == EPERM ? " (CAP_SYS_ADMIN is needed)" : "");
	if (fsconfig(context, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return context_error(context, -errno, "bpf file system, source", e);
	if (fsconfig(context, FSCONFIG_SET_STRING, "mode", "0700", 0) < 0)
		return context_error(context, -errno, "bpf file system, mode", e);
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return context_error(context, -errno, "create bpf file system", e);
	mount = fsmount(context, FSMOUNT_CLOEXEC,
			MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (mount < 0)
		return context_error(context, -errno, "fsmount of bpf file system", e);
	*ret_mount = take_fd(mount);
	return 0;
}

/* Where the source is taken, a second one is refused; where it is ignored, so is the second. */
int mount_keeps_source(struct error *e)
{
	cleanup(closep) int context = fsopen("bpf", FSOPEN_CLOEXEC);

	if (context < 0)
		return error_set(e, -errno, "new bpf file system: %s", error_string(errno));
	if (fsconfig(context, FSCONFIG_SET_STRING, "source", "a", 0) < 0)
		return context_error(context, -errno, "bpf file system, source", e);
	if (fsconfig(context, FSCONFIG_SET_STRING, "source", "b", 0) == 0)
		return 0;
	return errno == EINVAL ? 1 : context_error(context, -errno, "bpf file system, source", e);
}

int mount_move(int mount, int target, bool beneath, struct error *e)
{
	unsigned int flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;

	if (move_mount(mount, "", target, "", flags | (beneath ? MOVE_MOUNT_BENEATH : 0)) < 0)
		return error_set(e, -errno, "move_mount%s: %s",
				 beneath ? " beneath the present one" : "", error_string(errno));
	return 0;
}

/* By mount(2), because mount_setattr(2) came with Linux 5.12. */
int mount_set_shared(int fd, struct error *e)
{
	if (mount(NULL, fd_path(fd).s, NULL, MS_SHARED, NULL) < 0)
		return error_set(e, -errno, "make the mount shared: %s", error_string(errno));
	return 0;
}

int mount_detach(int fd, struct error *e)
{
	if (umount2(fd_path(fd).s, MNT_DETACH) < 0)
		return error_set(e, -errno, "unmount: %s", error_string(errno));
	return 0;
}

static int reconfigure(int mount, bool read_only, struct error *e)
{
	const char *what = read_only ? "make the file system read-only" :
				       "make the file system writable";
	cleanup(closep) int context = fspick(mount, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);

	if (context < 0)
		return error_set(e, -errno, "%s: fspick: %s", what, error_string(errno));
	if (fsconfig(context, FSCONFIG_SET_FLAG, read_only ? "ro" : "rw", NULL, 0) < 0 ||
	    fsconfig(context, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
		return context_error(context, -errno, what, e);
	return 0;
}

int superblock_set_read_only(int mount, bool read_only, struct error *e)
{
	int r = -EBUSY;

	for (int i = 0; r == -EBUSY && i < READ_ONLY_ATTEMPTS; i++)
		r = reconfigure(mount, read_only, e);
	return r;
}
