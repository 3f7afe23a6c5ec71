/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Loading an opened ELF file, and who refused what if that fails. Internal to kern. */
#pragma once

#include "base/arena.h"
#include "model/result.h"

struct bpf_object;

/*
 * bpf_object__load(). On failure code, class, reason (VerifierRefused, MapCreateFailed,
 * LoadFailed), error and, where the verifier wrote one, log of ret are set; strings are from a.
 */
int verifier_load(struct bpf_object *o, struct arena *a, struct op_result *ret);

/* The end of a verifier's log that tells what is wrong, in one line; "" without one. */
const char *verifier_last_words(struct arena *a, const char *log);
