/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What became of one operation. */
#pragma once

#include "base/error.h"

enum failure_class { /* decides when another attempt makes sense (recon/retry.h) */
		     FAILURE_TRANSIENT, /* EAGAIN, ENOMEM, … : soon, with back-off */
		     FAILURE_KERNEL,    /* refused as it is: another object or kernel is needed */
		     FAILURE_FOREIGN, /* someone else holds it: with their event, or with back-off */
		     FAILURE_CLASS_COUNT,
};

/*
 * The one failure that leaves everything as declared: a dispatcher that somebody runs where bpfshare
 * cannot see it is kept until that ends.
 */
#define RESULT_CHAIN_STILL_USED "ChainStillUsed"

struct op_result {
	int code; /* 0 or -errno */
	enum failure_class class;
	const char *
		reason; /* CamelCase token, static; NULL when code is 0 and nothing is to be said */
	struct error error; /* text with the kernel's own words: ext-ack, errno */
	const char *log;    /* verifier log, from the arena given to apply; NULL without one */
	const char *
		note; /* on success: worth telling ("attached in generic mode: the driver says …") */
};
