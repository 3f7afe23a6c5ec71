/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Every feature is tried out, because neither a version nor a configuration says what a
 * kernel really does: distributions backport, security modules refuse, JITs differ. Nothing that
 * packets or other processes could notice is touched.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/macros.h"
#include "bpf/probe.skel.h"
#include "kern/child.h"
#include "kern/context.h"
#include "kern/probe_libxdp.h"
#include "kern/probe_tailcall.h"
#include "kern/probe_tc.h"
#include "kern/verifier.h"

/* Younger than the headers that this builds with (Linux 6.9). */
#define COMMAND_TOKEN_CREATE 36

/* In every network namespace, and never with XDP in its driver. */
#define LOOPBACK_IFINDEX 1

#define NOBODY 65534

static void probe_freep(struct probe_bpf **p)
{
	probe_bpf__destroy(*p);
}

static bool no(struct arena *a, struct feature *f, int code, const char *what)
{
	f->detail = arena_printf(a, "%s: %s", what, error_string(code));
	return false;
}

/* Loads probe_pass alone; NULL (and the feature's detail) if that is refused. */
static struct probe_bpf *load_pass(struct arena *a, struct feature *f)
{
	cleanup(probe_freep) struct probe_bpf *p = probe_bpf__open();
	struct op_result result = { 0 };
	struct bpf_program *each;

	if (!p) {
		(void)no(a, f, -errno, "the probe cannot be opened");
		return NULL;
	}
	bpf_object__for_each_program(each, p->obj)
		(void)bpf_program__set_autoload(each, each == p->progs.probe_pass);
	if (verifier_load(p->obj, a, &result) < 0) {
		f->detail = arena_strdup(a, result.error.text);
		return NULL;
	}
	return take_ptr(p);
}

/*
 * Loopback cannot run XDP in its driver, so a kernel that knows such links refuses with EOPNOTSUPP (or because
 * there is a root), and one that does not with EINVAL.
 */
static bool probe_link(struct arena *a, struct feature *f)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	cleanup(probe_freep) struct probe_bpf *p = load_pass(a, f);
	cleanup(closep) int fd = -1;

	if (!p)
		return false;
	fd = bpf_link_create(bpf_program__fd(p->progs.probe_pass), LOOPBACK_IFINDEX, BPF_XDP,
			     &opts);
	if (fd >= 0 || errno == EOPNOTSUPP || errno == EBUSY || errno == EEXIST)
		return true;
	return no(a, f, -errno, "creating one is refused");
}

/* freplace is what the name stands for; fentry and fexit need the same trampolines. */
static bool probe_trampoline(struct arena *a, struct feature *f)
{
	cleanup(probe_freep) struct probe_bpf *target = load_pass(a, f);
	cleanup(probe_freep) struct probe_bpf *p = NULL;
	struct op_result result = { 0 };
	struct bpf_program *each, *replacement;
	struct bpf_link *link;
	int fd;

	if (!target)
		return false;
	p = probe_bpf__open();
	if (!p)
		return no(a, f, -errno, "the probe cannot be opened");
	fd = bpf_program__fd(target->progs.probe_pass);
	replacement = p->progs.probe_drop;
	bpf_object__for_each_program(each, p->obj)
		(void)bpf_program__set_autoload(each, each == replacement);
	(void)bpf_program__set_type(replacement, BPF_PROG_TYPE_EXT);
	(void)bpf_program__set_expected_attach_type(replacement, 0);
	if (bpf_program__set_attach_target(replacement, fd, "probe_pass") < 0)
		return no(a, f, -errno, "no function of a program can be named as a target");
	if (verifier_load(p->obj, a, &result) < 0)
		return no(a, f, result.code, "loading a freplace program");
	link = bpf_program__attach_freplace(replacement, fd, "probe_pass");
	if (!link)
		return no(a, f, -errno, "attaching a freplace program");
	(void)bpf_link__destroy(link);
	return true;
}

/* What refuses trampolines is told by their own probe. */
static bool probe_libxdp_chain(struct arena *a, struct feature *f)
{
	if (probe_trampoline(a, f))
		return probe_libxdp(a, f);
	f->detail = arena_printf(a, "%s; it needs freplace programs (trampoline)", f->detail);
	return false;
}

static bool probe_tcx(struct arena *a, struct feature *f)
{
	LIBBPF_OPTS(bpf_prog_query_opts, opts);

	if (bpf_prog_query_opts(LOOPBACK_IFINDEX, BPF_TCX_INGRESS, &opts) == 0)
		return true;
	return no(a, f, -errno, "asking for the programs of an interface");
}

static bool probe_token(struct arena *a, struct feature *f)
{
	/* flags and bpffs_fd of union bpf_attr; a kernel that knows the command finds no such descriptor. */
	const uint32_t attr[2] = { 0, UINT32_MAX };

	if (syscall(SYS_bpf, COMMAND_TOKEN_CREATE, attr, sizeof(attr)) >= 0 || errno == EBADF)
		return true;
	return no(a, f, -errno, "BPF_TOKEN_CREATE");
}

static bool probe_mount_beneath(struct arena *a, struct feature *f)
{
	(void)a;
	if (share_can_mount_beneath())
		return true;
	f->detail =
		"read-only shares are writable for a moment while they change; Linux 6.5 has it";
	return false;
}

static bool probe_membarrier(struct arena *a, struct feature *f)
{
	int r = grace_wait_by_membarrier();

	return r == 0 || no(a, f, r, "MEMBARRIER_CMD_GLOBAL (a slower way is taken)");
}

static bool probe_btf(struct arena *a, struct feature *f)
{
	static const char path[] = "/sys/kernel/btf/vmlinux";

	return access(path, R_OK) == 0 || no(a, f, -errno, path);
}

/* Looking is enough, and switching it on for a moment would patch every program's entry. */
static bool probe_stats(struct arena *a, struct feature *f)
{
	static const char path[] = "/proc/sys/kernel/bpf_stats_enabled";

	return access(path, F_OK) == 0 || no(a, f, -errno, path);
}

/* What a consumer without privilege meets; in a child. */
static int lookup_as_nobody(int map_fd)
{
	struct {
		uint32_t map_fd, unused;
		uint64_t key, value, flags;
	} attr = { .map_fd = (uint32_t)map_fd };
	uint32_t key = 0, value = 0;

	attr.key = (uintptr_t)&key;
	attr.value = (uintptr_t)&value;
	if (syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) < 0 ||
	    syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) < 0)
		return CHILD_UNTRIED;
	if (syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)) < 0)
		return -errno;
	return 0;
}

static bool probe_unprivileged(struct arena *a, struct feature *f)
{
	cleanup(closep) int fd =
		bpf_map_create(BPF_MAP_TYPE_ARRAY, "bpfshare_probe", 4, 4, 1, NULL);
	int r = fd < 0 ? -errno : child_ask(lookup_as_nobody, fd);

	if (r == 0)
		return true;
	if (r == CHILD_UNTRIED)
		return no(a, f, r, "cannot be tried without the right to become another user");
	if (r != -EPERM)
		return no(a, f, r, "reading a map as an unprivileged user");
	f->detail = "the kernel refuses every bpf() call without privilege: before Linux 5.19 that "
		    "needs the sysctl kernel.unprivileged_bpf_disabled=0, and security modules can "
		    "forbid it";
	return false;
}

static const struct {
	const char *name;
	const char *use; /* said where it is available */
	bool (*probe)(struct arena *a, struct feature *f);
} probes[] = {
	{ "bpf_link", "an exclusive XDP root", probe_link },
	{ "bpf_token", "delegation of bpf() to user namespaces", probe_token },
	{ "btf", "programs that read kernel types", probe_btf },
	{ "clsact", "tc programs as filters, where TCX is missing", probe_clsact },
	{ "libxdp", "chains that xdp-loader and other tools of libxdp see and join",
	  probe_libxdp_chain },
	{ "membarrier", "a quick grace period", probe_membarrier },
	{ "mount_beneath", "read-only shares change without a writable moment",
	  probe_mount_beneath },
	{ "stats", "run counts, while the sysctl kernel.bpf_stats_enabled is 1", probe_stats },
	{ "tailcall", "chains of XDP programs", probe_tailcall },
	{ "tc_tailcall", "chains of tc programs whose verdicts pass control on",
	  probe_tc_tailcall },
	{ "tcx", "tc programs on links", probe_tcx },
	{ "trampoline", "freplace, fentry and fexit programs", probe_trampoline },
	{ "unprivileged_map_access", "shares for processes without privilege", probe_unprivileged },
};

const struct feature *probe_features(struct arena *a, size_t *ret_count)
{
	struct feature *features = arena_calloc(a, ARRAY_SIZE(probes), sizeof(*features));

	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		struct feature *f = &features[i];

		f->name = probes[i].name;
		f->available = probes[i].probe(a, f);
		if (f->available)
			f->detail = probes[i].use;
	}
	*ret_count = ARRAY_SIZE(probes);
	return features;
}
