/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What both XDP dispatchers make of an answer that is no verdict of XDP. */
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "tailcall_dispatcher.h"

/* Adjusts verdict and tells whether the chain ends here. */
static __always_inline int other_answer_ends(__u32 answer, __u32 required, __u32 *verdict)
{
	if (answer == TAILCALL_MISSING) {
		if (required)
			*verdict = XDP_DROP;
		return required;
	}
	*verdict = answer == TAILCALL_VERDICT_CONTINUE ? XDP_PASS : XDP_ABORTED;
	return answer != TAILCALL_VERDICT_CONTINUE;
}
