// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Programs that say how they want to be run, in the form that libxdp reads: section .xdp_run_config, a variable
 * by the function's name, numbers as sizes of arrays.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define RUN_CONFIG(function) _##function SEC(".xdp_run_config")

struct {
	__uint(priority, 7);
	__uint(XDP_PASS, 0);
	__uint(XDP_DROP, 1);
	__uint(XDP_TX, 3);
} RUN_CONFIG(xdp_configured);

/* A static one counts as well; what is not mentioned stays as it is by default. */
static struct {
	__uint(priority, 65535);
} RUN_CONFIG(xdp_late) __attribute__((used));

struct {
	__uint(XDP_REDIRECT, 1);
	__uint(no_such_verdict, 1);
} RUN_CONFIG(xdp_redirecting);

/* Out of range, and of another form: neither can be meant. */
struct {
	__uint(priority, 65536);
	int XDP_DROP;
} RUN_CONFIG(xdp_odd);

/* Of no program here. */
struct {
	__uint(priority, 1);
} RUN_CONFIG(nobody);

#define DEFINE_PROGRAM(name)         \
	SEC("xdp")                   \
	int name(struct xdp_md *ctx) \
	{                            \
		return XDP_PASS;     \
	}

DEFINE_PROGRAM(xdp_configured)
DEFINE_PROGRAM(xdp_late)
DEFINE_PROGRAM(xdp_redirecting)
DEFINE_PROGRAM(xdp_odd)
DEFINE_PROGRAM(xdp_plain)

char _license[] SEC("license") = "Dual BSD/GPL";
